//! Bugs that can be planted, and rules that can be left out. Each is a step of the simulation that is done wrongly around
//! the real rules, which stay as they are.

/// What is broken in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Break {
    // The planted bugs.
    AckBeforeCommit,
    /// The server believes its process's memory of how far an epoch is stored, and writes that.
    WatermarkInMemory,
    /// A salvaged file gives its rows new identities.
    SalvageNewIdentity,
    /// The edge goes on after what the server has, whatever it says to have lost.
    ResumeHave,
    CycleNotPersisted,
    /// The server takes any text under a known identity for the same.
    NoHash,
    ToldBeforeCommit,
    DeleteOnSend,
    /// The watermark is what the connection remembers, and is written without a comparison.
    NoCas,
    NoFence,
    NoCycleKey,
    ReceiptIgnored,
    GapCompletes,
    /// An indicator that is heard again tells of an empty deck.
    DeckForgotten,
    // Rules left out.
    Through,
    NackFirst,
    LostFill,
    FenceEdge,
    EpochHello,
    BadHash,
    HavePing,
    AckedDown,
    LookFirst,
    GapMono,
    ShortEmpty,
    UntilWelcome,
    LostCalls,
    OffEnds,
    NewCall,
    OtherBoot,
    OneCapture,
    ErpCycle,
    RewindCalls,
    ResumeOverlap,
    RewindSlips,
    // Rules about slow hellos and repeated restores.
    /// A hello that was long under way is believed.
    SlowHello,
    /// What readings show of a deck corrects nothing.
    DeckUnseen,
    /// What was printed of a record is forgotten while it waits for its other pass.
    PrintedForgotten,
    /// Numbers jump as far after the second restore as after the first.
    SameJump,
}

/// Bugs around the rules, each of which some seed must find.
pub const MUTANTS: [Break; 14] = [
    Break::AckBeforeCommit,
    Break::WatermarkInMemory,
    Break::SalvageNewIdentity,
    Break::ResumeHave,
    Break::CycleNotPersisted,
    Break::NoHash,
    Break::ToldBeforeCommit,
    Break::DeleteOnSend,
    Break::NoCas,
    Break::NoFence,
    Break::NoCycleKey,
    Break::ReceiptIgnored,
    Break::GapCompletes,
    Break::DeckForgotten,
];

/// Rules that are missed when they are left out. Those of which each alone heals what the other lets through are left out
/// together.
pub const RULES: [&[Break]; 18] = [
    &[Break::Through, Break::ResumeOverlap],
    &[Break::NackFirst, Break::ResumeOverlap],
    &[Break::LostFill],
    &[Break::FenceEdge],
    &[Break::EpochHello],
    &[Break::HavePing],
    &[Break::AckedDown],
    &[Break::LookFirst],
    &[Break::GapMono],
    &[Break::UntilWelcome],
    &[Break::LostCalls],
    &[Break::OffEnds],
    &[Break::NewCall],
    &[Break::OtherBoot],
    &[Break::ResumeOverlap],
    &[Break::RewindSlips],
    &[Break::SlowHello],
    &[Break::DeckUnseen],
];

/// Rules that are hardly missed when one of them is left out, with what heals that.
pub const HEALED: [(Break, &str); 7] = [
    (
        Break::BadHash,
        "events come in order, so the damaged one is the next one anyhow; only of those that are sent again it is not, and a \
         LOST row that is passed over then is named by the next welcome",
    ),
    (
        Break::ShortEmpty,
        "a deck that is taken for unknown makes a gap capture of the next truck: more for staff to decide, and nothing lost",
    ),
    (
        Break::OneCapture,
        "a complete record takes nothing more, and leaving ends the call: it takes a first pass whose vehicle_off is lost",
    ),
    (
        Break::ErpCycle,
        "a known cycle completes nothing again: it takes a restored database and a rebirth of that very event after it was told",
    ),
    (
        Break::RewindCalls,
        "edges send again in order, so an old call is spent by its own truck before the next one's events come",
    ),
    (
        Break::PrintedForgotten,
        "it takes both passes of a truck at two edges after the backup, and the later one's edge back before the other",
    ),
    (
        Break::SameJump,
        "it takes two restores of one backup, with slips issued after both that no event brings back by its receipt",
    ),
];
