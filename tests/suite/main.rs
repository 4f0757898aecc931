//! One binary of integration tests, a file a capability.

mod architecture;
