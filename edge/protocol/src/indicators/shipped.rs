//! The declarations that are part of the program.

macro_rules! shipped {
    ($($id:literal),* $(,)?) => {
        [$((concat!($id, ".toml"), include_str!(concat!("../../../../config/indicators/", $id, ".toml")))),*]
    };
}

/// File name and text of every declaration in `config/indicators`, sorted.
pub const FILES: [(&str, &str); 3] = shipped!["and18", "cas22", "mt_continuous"];
