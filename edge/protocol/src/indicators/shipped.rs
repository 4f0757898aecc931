//! The declarations that are part of the program.

macro_rules! shipped {
    ($($id:literal),* $(,)?) => {
        [$((concat!($id, ".toml"), include_str!(concat!("../../../../config/indicators/", $id, ".toml")))),*]
    };
}

/// File name and text of every declaration in `config/indicators`, sorted.
pub const FILES: [(&str, &str); 47] = shipped![
    "and18",
    "and_ek",
    "bilanciai",
    "cardinal_sb",
    "cardinal_sb200",
    "cardinal_stream",
    "cas10",
    "cas22",
    "cas_ci100a",
    "cas_ext",
    "cas_pos",
    "cas_rw",
    "dini_ext",
    "dini_std",
    "fairbanks_consolidated",
    "fairbanks_fbputr",
    "fairbanks_toledo",
    "fairbanks_ups",
    "flintec_bsi",
    "flintec_cont",
    "flintec_fast",
    "gicam",
    "laumas_rip",
    "modbus_laumas",
    "mt_continuous",
    "mt_sics",
    "radwag",
    "rinstrum_f1",
    "rinstrum_f2",
    "rinstrum_f3",
    "rinstrum_f4",
    "rlws_stream",
    "sbi16",
    "sbi22",
    "sewha_rcwt",
    "sma",
    "systec_rn",
    "toledo_8217",
    "tscale_con3",
    "weightronix",
    "yaohua_a12e",
    "yaohua_cmd",
    "yaohua_tf0",
    "yaohua_tf1",
    "yaohua_tf2",
    "yaohua_ww",
    "yousheng_bcd"
];
