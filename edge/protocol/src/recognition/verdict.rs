//! The best of all protocols on the same bytes, and what those bytes cannot tell.

use crate::indicators::{Options, Parity, Protocol, Terminator};

use super::{
    evidence::{Heard, Trial},
    rhythm::Rhythm,
};

/// All that explain something, the best first, and what follows.
#[derive(Clone, Debug)]
pub struct Ranking {
    pub bytes: usize,
    pub trials: Vec<Trial>,
    pub verdict: Verdict,
    /// The parity that every byte's top bit agrees with, where the bytes came with it.
    pub parity: Option<Parity>,
}

/// What the bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first trial it is. `alike` read every frame just the same.
    Named {
        alike: Vec<&'static str>,
    },
    /// The first trial and these explain the bytes as well, and read other weights from them.
    Undecided {
        rivals: Vec<Difference>,
    },
    Unexplained(Unexplained),
}

/// A frame that two protocols read in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub rival: &'static str,
    pub raw: Vec<u8>,
    pub first_reads: String,
    pub rival_reads: String,
}

/// Why no protocol is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unexplained {
    NoBytes,
    /// Nothing repeats: the line setting is wrong, or the bytes are few.
    NoFrames,
    /// Frames of `len` bytes repeat, such as `sample`, and no protocol reads them.
    NoParse {
        len: usize,
        count: usize,
        sample: Vec<u8>,
    },
}

/// More bytes than these only take time.
const LOOKED_AT: usize = 32 * 1024;
/// A protocol is named from so many frames on
const FEWEST_FRAMES: usize = 2;
/// that explain so many of a hundred bytes; it is then not looked at again with other options
const ENOUGH: usize = 60;
const NEARLY_ALL: usize = 97;
/// Protocols whose shares lie no further apart explain the bytes equally well.
const AS_GOOD: usize = 3;
/// Weights that travel so many times as far are read in the wrong order.
const ROUGHER: i64 = 4;

/// Tries every shipped protocol with every form of its options.
pub fn rank(bytes: &[u8]) -> Ranking {
    let bytes = &bytes[..bytes.len().min(LOOKED_AT)];
    let parity = parity(bytes);
    let mut trials: Vec<Trial> = Protocol::shipped()
        .iter()
        .filter_map(|protocol| best_form(protocol, parity.is_some(), bytes))
        .filter(|trial| trial.evidence.frames > 0)
        .collect();
    // Of equal ones the shipped order decides, so that the answer is always the same.
    trials.sort_by_key(|trial| (!trial.is_plausible(), std::cmp::Reverse(trial.score)));
    let verdict = verdict(&mut trials, bytes);
    let mut ranking = Ranking {
        bytes: bytes.len(),
        trials,
        verdict,
        parity,
    };
    ranking.prefer_unasked();
    ranking
}

/// The protocol with the options that explain the bytes best.
fn best_form(protocol: &'static Protocol, has_parity: bool, bytes: &[u8]) -> Option<Trial> {
    let masks: &[&str] = if has_parity { &["", "mask7=true"] } else { &[""] };
    let mut best: Option<Trial> = None;
    let other_forms = protocol.forms().into_iter().filter(|form| may_be(form, bytes));
    for forms in [vec![Vec::new()], other_forms.collect()] {
        for (form, mask) in forms.iter().flat_map(|form| masks.iter().map(move |mask| (form, mask))) {
            let mut settings: Vec<String> = form.clone();
            settings.extend((!mask.is_empty()).then(|| (*mask).to_owned()));
            let trial = Trial::run(protocol, &settings, bytes).ok();
            let better = trial.filter(|trial| best.as_ref().is_none_or(|best| trial.score > best.score));
            best = better.or(best);
        }
        let done = best.as_ref().is_some_and(|best| best.evidence.share() >= NEARLY_ALL);
        if done && !protocol.may_leave_checksum_out() {
            break;
        }
    }
    best
}

/// Whether these bytes have the terminator that a form has: most forms need no trial at all.
fn may_be(form: &[String], bytes: &[u8]) -> bool {
    let named = form
        .iter()
        .find_map(|setting| Terminator::named(setting.strip_prefix("terminator=")?));
    let times = |end: &[u8]| bytes.windows(end.len()).filter(|window| *window == end).count();
    named.is_none_or(|end| times(end.bytes()) >= FEWEST_FRAMES)
}

/// The parity of which every byte is, where any byte has its top bit set: 7E1 or 7O1 read as 8N1.
fn parity(bytes: &[u8]) -> Option<Parity> {
    let has_top = bytes.iter().any(|byte| *byte > 0x7F);
    let odd = bytes.iter().filter(|byte| byte.count_ones() % 2 == 1).count();
    // A few bytes may have been damaged on the way.
    let nearly_all = |count: usize| count * 50 >= bytes.len() * 49;
    match () {
        () if !has_top => None,
        () if nearly_all(odd) => Some(Parity::Odd),
        () if nearly_all(bytes.len() - odd) => Some(Parity::Even),
        () => None,
    }
}

fn verdict(trials: &mut [Trial], bytes: &[u8]) -> Verdict {
    let is_enough = |trial: &Trial| trial.evidence.frames >= FEWEST_FRAMES && trial.evidence.share() >= ENOUGH;
    let Some(share) = trials
        .first()
        .filter(|first| is_enough(first))
        .map(|first| first.evidence.share())
    else {
        return Verdict::Unexplained(unexplained(bytes));
    };
    let rivals = |trial: &&Trial| is_enough(trial) && trial.evidence.share() + AS_GOOD >= share;
    // What shows weights in the wrong order falls back behind what shows them in the right one.
    let smoothest = trials
        .iter()
        .filter(rivals)
        .filter_map(|trial| trial.evidence.roughness)
        .min();
    let is_rough = |trial: &Trial| {
        let limit = smoothest.map(|smooth| smooth.max(20).saturating_mul(ROUGHER));
        trial
            .evidence
            .roughness
            .zip(limit)
            .is_some_and(|(rough, limit)| rough > limit)
    };
    trials.sort_by_key(is_rough);
    let (first, others) = trials.split_at(1);
    let stands = |trial: &&Trial| {
        let as_checked = trial.evidence.checksums > 0 || first[0].evidence.checksums == 0;
        rivals(trial) && !is_rough(trial) && as_checked
    };
    let others: Vec<&Trial> = others.iter().filter(stands).collect();
    let differing: Vec<Difference> = others
        .iter()
        .filter_map(|other| Difference::between(&first[0], other))
        .collect();
    if differing.is_empty() {
        let alike = others.iter().filter(|other| first[0].reads_like(other));
        Verdict::Named {
            alike: alike.map(|other| other.protocol.id()).collect(),
        }
    } else {
        Verdict::Undecided { rivals: differing }
    }
}

fn unexplained(bytes: &[u8]) -> Unexplained {
    if bytes.is_empty() {
        return Unexplained::NoBytes;
    }
    Rhythm::find(bytes).map_or(Unexplained::NoFrames, |rhythm| Unexplained::NoParse {
        len: rhythm.len,
        count: rhythm.starts.len(),
        sample: rhythm
            .frames(bytes)
            .first()
            .map(|frame| frame.to_vec())
            .unwrap_or_default(),
    })
}

impl Ranking {
    /// Nobody is known to have asked: of those that read every frame alike one that speaks by itself is named.
    fn prefer_unasked(&mut self) {
        let Verdict::Named { alike } = &self.verdict else {
            return;
        };
        let named = |id: &str| self.trials.iter().find(|trial| trial.protocol.id() == id);
        let speaks = |trial: &Trial| matches!(trial.protocol.poll(&Options::default()), Ok(None));
        let unasked = alike.iter().copied().find(|id| named(id).is_some_and(speaks));
        if let Some(id) = unasked.filter(|_| !speaks(&self.trials[0])) {
            self.prefer(id);
        }
    }

    /// Names that protocol where it reads every frame like the one that is named: its request was answered.
    pub fn prefer(&mut self, id: &str) {
        let Verdict::Named { alike } = &mut self.verdict else {
            return;
        };
        let Some(place) = alike.iter().position(|other| *other == id) else {
            return;
        };
        alike[place] = self.trials[0].protocol.id();
        if let Some(at) = self.trials.iter().position(|trial| trial.protocol.id() == id) {
            self.trials[..=at].rotate_right(1);
        }
    }
}

impl Trial {
    fn reads_like(&self, other: &Self) -> bool {
        self.heard == other.heard
    }
}

impl Difference {
    /// The first frame of which the two read another weight.
    fn between(first: &Trial, rival: &Trial) -> Option<Self> {
        let same_bytes = |heard: &&Heard| rival.heard.iter().find(|other| other.raw == heard.raw);
        let differs = |(heard, other): &(&Heard, &Heard)| heard.kg != other.kg;
        let pairs = first
            .heard
            .iter()
            .take(200)
            .filter_map(|heard| Some((heard, same_bytes(&heard)?)));
        let (heard, other) = pairs.into_iter().find(differs)?;
        Some(Self {
            rival: rival.protocol.id(),
            raw: heard.raw.clone(),
            first_reads: heard.text(),
            rival_reads: other.text(),
        })
    }
}

impl Heard {
    /// `18340 kg`, or what stands in place of a weight.
    pub fn text(&self) -> String {
        self.weight
            .as_ref()
            .map_or_else(|| "no weight".to_owned(), |weight| format!("{weight} {}", self.unit))
    }
}
