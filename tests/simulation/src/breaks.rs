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
    /// Numbers jump as far after the second restore as after the first.
    SameJump,
}

/// Bugs around the rules, each of which some seed must find.
pub const MUTANTS: [Break; 13] = [
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
];

/// Rules that are missed when they are left out. Those of which each alone heals what the other lets through are left out
/// together.
pub const RULES: [&[Break]; 17] = [
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
];

/// Rules that a hundred thousand seeds hardly miss, or not at all: others heal what they let through.
pub const HEALED: [&[Break]; 6] = [
    &[Break::BadHash],
    &[Break::ShortEmpty],
    &[Break::OneCapture],
    &[Break::ErpCycle],
    &[Break::RewindCalls],
    &[Break::SameJump],
];
