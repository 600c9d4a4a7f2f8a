//! What the words of the language mean, shown in the scripted world.

mod blocks;
mod checklists;
mod loops;
mod parallel;
mod people;
mod plays;
mod rehearsals;
mod retries;
mod services;
mod sessions;
mod steps;
mod trees;
mod trees_found;
mod undo;
