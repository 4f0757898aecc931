//! The words in which a declaration says what a status character or bit means.

use crate::{
    frame::{Facts, Flags, Shift},
    reading::{Mode, Unit},
};

/// Words that set one flag.
const FLAGS: [(&str, Flags); 14] = [
    ("stable", Flags::STABLE),
    ("moving", Flags::MOVING),
    // A held value is not what lies on the deck now.
    ("held", Flags::MOVING),
    ("overload", Flags::OVERLOAD),
    ("underload", Flags::UNDERLOAD),
    ("out of range", Flags::OUT_OF_RANGE),
    ("no weight", Flags::NO_WEIGHT),
    ("zero", Flags::ZERO),
    ("not zero", Flags::NOT_ZERO),
    ("negative", Flags::NEGATIVE),
    ("gross negative", Flags::GROSS_NEGATIVE),
    ("net negative", Flags::NET_NEGATIVE),
    ("no weighing", Flags::NO_WEIGHING),
    ("ignore", Flags::QUIET),
];

const MODES: [(&str, Mode); 4] = [
    ("gross", Mode::Gross),
    ("net", Mode::Net),
    ("tare", Mode::Tare),
    ("unknown", Mode::Unknown),
];

const UNITS: [(&str, Unit); 4] = [
    ("kg", Unit::Kilogram),
    ("t", Unit::Tonne),
    ("g", Unit::Gram),
    ("lb", Unit::Pound),
];

/// What may stand wherever a meaning is declared; for messages.
pub const EXPECTED: &str = "words separated by commas out of: stable, moving, held, overload, underload, out of range, \
    no weight, zero, not zero, negative, gross negative, net negative, gross, net, tare, unknown, kg, t, g, lb, \
    N decimals, times 10, times 100, no weighing, ignore, nothing";

/// The facts that words such as `"gross, stable"` state. None where one of them is no such word.
pub fn facts(words: &str) -> Option<Facts> {
    words
        .split(',')
        .map(|word| fact(word.trim()))
        .try_fold(Facts::default(), |all, fact| Some(all.and(fact?)))
}

/// The unit of that name.
pub fn unit(name: &str) -> Option<Unit> {
    find(&UNITS, name)
}

/// What a field named `unit` may hold unless its declaration says otherwise.
pub fn usual_units() -> Vec<(Vec<u8>, Facts)> {
    let weighed = UNITS.map(|(name, unit)| {
        (
            name,
            Facts {
                unit: Some(unit),
                ..Facts::default()
            },
        )
    });
    let not_weighed = ["pc", "pcs", "mv", "%"].map(|name| (name, Facts::flag(Flags::NO_WEIGHING)));
    weighed
        .into_iter()
        .chain(not_weighed)
        .map(|(name, facts)| (name.as_bytes().to_vec(), facts))
        .collect()
}

fn fact(word: &str) -> Option<Facts> {
    if word == "nothing" {
        return Some(Facts::default());
    }
    let flags = find(&FLAGS, word).map(Facts::flag);
    let mode = || {
        find(&MODES, word).map(|mode| Facts {
            mode: Some(mode),
            ..Facts::default()
        })
    };
    let unit = || {
        unit(word).map(|unit| Facts {
            unit: Some(unit),
            ..Facts::default()
        })
    };
    let shift = || {
        shift(word).map(|shift| Facts {
            shift: Some(shift),
            ..Facts::default()
        })
    };
    flags.or_else(mode).or_else(unit).or_else(shift)
}

fn shift(word: &str) -> Option<Shift> {
    match word {
        "times 10" => Some(Shift::Zeros(1)),
        "times 100" => Some(Shift::Zeros(2)),
        _ => {
            let places = word
                .strip_suffix(" decimals")
                .or_else(|| word.strip_suffix(" decimal"))?;
            places.parse().ok().filter(|places| *places <= 6).map(Shift::Decimals)
        }
    }
}

fn find<T: Copy>(known: &[(&str, T)], wanted: &str) -> Option<T> {
    known.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_add_up_and_unknown_ones_are_refused() {
        let both = facts("net, moving").unwrap();
        assert_eq!(both.mode, Some(Mode::Net));
        assert_eq!(both.stable(), Some(false));
        assert_eq!(facts("2 decimals").unwrap().shift, Some(Shift::Decimals(2)));
        assert_eq!(facts("nothing"), Some(Facts::default()));
        assert_eq!(facts("gros"), None);
        assert_eq!(facts("9 decimals"), None);
    }

    #[test]
    fn the_list_of_expected_words_is_complete() {
        for word in FLAGS.map(|(word, _)| word).iter().chain(&MODES.map(|(word, _)| word)) {
            assert!(EXPECTED.contains(word), "{word}");
        }
        assert!(
            EXPECTED
                .split(&[':', ','][..])
                .skip(1)
                .filter(|word| facts(word.trim()).is_none())
                .count()
                == 1
        );
    }
}
