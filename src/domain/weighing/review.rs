//! Why staff should look at a record. The codes stand in the database; what they mean to people is in the catalogues.

/// Captured before it stood wholly on the deck, perhaps: it moved and weighs something else.
pub const MOVED: &str = "MOVED";
/// Its two weights differ by less than any load weighs.
pub const NET_BELOW_MINIMUM: &str = "NET_BELOW_MINIMUM";
/// It was complete before a restore, and its other weight or its tare has not come back.
pub const RESTORED_INCOMPLETE: &str = "RESTORED_INCOMPLETE";
/// It was brought back after a restore, and what was printed is not what is known now, or does not hang together.
pub const RESTORED_WEIGHTS: &str = "RESTORED_WEIGHTS";
/// It was brought back after a restore without its driver, whose id is another's by now.
pub const RESTORED_DRIVER: &str = "RESTORED_DRIVER";
/// A check-in said `IN` and the truck took something away, or the other way round.
pub const DIRECTION_CONTRADICTED: &str = "DIRECTION_CONTRADICTED";
/// The check-in for the second pass named another product than the first, which the record has.
pub const PRODUCT_CHANGED: &str = "PRODUCT_CHANGED";
/// The check-in for the second pass was another driver's than the first, whom the record has.
pub const DRIVER_CHANGED: &str = "DRIVER_CHANGED";

#[cfg(test)]
pub const ALL: [&str; 8] = [
    MOVED,
    NET_BELOW_MINIMUM,
    RESTORED_INCOMPLETE,
    RESTORED_WEIGHTS,
    RESTORED_DRIVER,
    DIRECTION_CONTRADICTED,
    PRODUCT_CHANGED,
    DRIVER_CHANGED,
];
