//! `weighbridge-sim protocols`.

use weighbridge_sim::encode::Format;

pub fn print() {
    for format in Format::ALL {
        let how = if format.request().is_some() {
            "answers when asked"
        } else {
            "sends by itself"
        };
        println!("{:<14} {:<16} {how}", format.id(), format.maker());
    }
}
