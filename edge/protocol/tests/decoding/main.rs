//! What the shipped protocols make of real bytes: the corpora of `tests/corpus`, cut and damaged in every way.

mod corpus;
mod cuts;
mod damage;
mod declarations;
mod fuzz;
