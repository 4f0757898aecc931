//! Builds the migrations into the binary anew when one is added, which the compiler alone would not notice.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
