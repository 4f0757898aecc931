//! What indicators of many makers send while two trucks are weighed, written here anew and not by the declarations.

/// A weight in kg, and whether the indicator says that it stands still.
pub type Shown = (i64, bool);

/// Two trucks drive on, settle and drive off.
pub fn two_trucks() -> Vec<Shown> {
    let mut shown = vec![(0, true); 8];
    for truck in [18_340_i64, 42_180] {
        let on = [3, 11, 27, 48, 66, 83, 91, 97].map(|percent| (truck * percent / 100 / 20 * 20, false));
        shown.extend(on);
        shown.extend(vec![(truck, true); 12]);
        shown.extend(on.iter().rev().map(|(kg, _)| (kg / 2 / 20 * 20, false)));
        shown.extend(vec![(0, true); 8]);
    }
    shown
}

/// One truck that stands still all the time.
pub fn standing(kg: i64) -> Vec<Shown> {
    vec![(kg, true); 20]
}

/// The protocols whose indicators are played here.
pub const PLAYED: [&str; 22] = [
    "and18",
    "bilanciai",
    "cardinal_stream",
    "cas10",
    "cas22",
    "cas_ext",
    "dini_std",
    "fairbanks_fbputr",
    "flintec_cont",
    "gicam",
    "laumas_rip",
    "modbus_laumas",
    "mt_continuous",
    "rinstrum_f2",
    "rlws_stream",
    "sbi16",
    "sewha_rcwt",
    "sma",
    "yaohua_a12e",
    "yaohua_tf0",
    "yaohua_tf2",
    "yousheng_bcd",
];

pub fn stream(id: &str, shown: &[Shown]) -> Vec<u8> {
    shown.iter().flat_map(|shown| frame(id, *shown)).collect()
}

/// One frame of the protocol.
pub fn frame(id: &str, (kg, still): Shown) -> Vec<u8> {
    let (st, s, motion) = if still { ("ST", 'S', ' ') } else { ("US", 'U', 'M') };
    let text = match id {
        "and18" => format!("{st},GS,+{kg:07}kg\r\n"),
        "bilanciai" => format!("${kg:>9}         0 kg 0000\r\n"),
        "cardinal_stream" => format!("\r+{kg:06}.{} kg g  \x03", if still { ' ' } else { 'm' }),
        "cas10" => format!("{kg:08}\r\n"),
        "cas22" => return cas22(kg, still),
        "cas_ext" => return with_sum(&format!("\x0201RCWT{st},GS,+{kg:07}kg"), 1, "\x03"),
        "dini_std" => format!("{st},GS,{kg:>8},kg\r\n"),
        "fairbanks_fbputr" => format!("\x0243{kg:>6}\x03"),
        "flintec_cont" => {
            return negated(
                &format!("\x02r{}0{kg:>6}     0\r\n", if still { '0' } else { '8' }),
                0xFF,
            );
        }
        "gicam" => return gicam(kg, still),
        // A tare is in use: where gross and net are the same their exclusive or never changes.
        "laumas_rip" => return with_xor(&format!("&N{:06}L{kg:06}", kg / 3), 1, "\r", "\\"),
        "modbus_laumas" => return modbus(kg, still),
        "mt_continuous" => return negated(&format!("\x02*{} {kg:06}000000\r", if still { '0' } else { '8' }), 0x7F),
        "rinstrum_f2" => format!(
            "\x02 {kg:>7}G{motion}{}-{}\x03",
            if kg == 0 { 'Z' } else { ' ' },
            unit_while_still(still)
        ),
        "rlws_stream" => format!("\x02 {kg:>7}KG{motion}\r\n"),
        "sbi16" => format!("+{kg:>9} {}\r\n", if still { "kg " } else { "   " }),
        "sewha_rcwt" => return with_sum(&format!("\x0201RCWT{s}GP0+{kg:07}kg\x03"), 0, ""),
        "sma" => format!("\n 1G{motion} {kg:>10}kg \r"),
        "yaohua_a12e" => return with_xor(&format!("WG{kg:06} kg"), 0, "\r\n", ""),
        "yaohua_tf0" => return with_xor(&format!("\x02+{kg:06}0"), 1, "\x03", ""),
        "yaohua_tf1" => format!("={}", format!("{kg:08}").chars().rev().collect::<String>()),
        "yaohua_tf2" => format!("={kg:08}"),
        "yousheng_bcd" => return yousheng(kg, still),
        other => panic!("{other} is not played"),
    };
    text.into_bytes()
}

const fn unit_while_still(still: bool) -> &'static str {
    if still { " kg" } else { "   " }
}

fn cas22(kg: i64, still: bool) -> Vec<u8> {
    let (st, lamp) = if still { ("ST", 0xE4) } else { ("US", 0xA4) };
    let (front, behind) = (format!("{st},GS,1"), format!(",{kg:08} kg\r\n"));
    [front.as_bytes(), &[lamp], behind.as_bytes()].concat()
}

fn hex(byte: u8) -> String {
    format!("{byte:02X}")
}

/// The sum from byte `from` on in two hex digits, and what ends the frame.
fn with_sum(text: &str, from: usize, end: &str) -> Vec<u8> {
    let sum = text.bytes().skip(from).fold(0_u8, u8::wrapping_add);
    format!("{text}{}{end}", hex(sum)).into_bytes()
}

/// The same with an exclusive or, and `mark` in front of it, which it leaves out.
fn with_xor(text: &str, from: usize, end: &str, mark: &str) -> Vec<u8> {
    let xor = text.bytes().skip(from).fold(0_u8, |all, byte| all ^ byte);
    format!("{text}{mark}{}{end}", hex(xor)).into_bytes()
}

fn negated(text: &str, mask: u8) -> Vec<u8> {
    let sum = text.bytes().fold(0_u8, u8::wrapping_add);
    [text.as_bytes(), &[sum.wrapping_neg() & mask]].concat()
}

fn gicam(kg: i64, still: bool) -> Vec<u8> {
    let state = if still { '2' } else { '0' };
    let body = [&[0x81], format!("N{state}{kg:>7}      0").as_bytes()].concat();
    let xor = body.iter().fold(0, |all, byte| all ^ byte);
    [body.as_slice(), &[3], hex(xor).as_bytes(), &[4]].concat()
}

fn modbus(kg: i64, still: bool) -> Vec<u8> {
    let weight = u32::try_from(kg).unwrap().to_be_bytes();
    let status = [if still { 8 } else { 0 }, 0];
    let body = [&[1, 3, 10], status.as_slice(), &weight, &weight].concat();
    let mut crc = 0xFFFF_u16;
    for byte in &body {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 };
        }
    }
    [body.as_slice(), &crc.to_le_bytes()].concat()
}

fn yousheng(kg: i64, still: bool) -> Vec<u8> {
    let digits = |pair: i64| u8::try_from(pair / 10 % 10 * 16 + pair % 10).unwrap();
    let flags = if still { 0x40 } else { 0 };
    vec![
        0xFF,
        flags,
        digits(kg % 100),
        digits(kg / 100 % 100),
        digits(kg / 10_000),
        0,
    ]
}
