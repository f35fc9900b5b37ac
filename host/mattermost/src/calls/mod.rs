//! The calls, by what they are about.

mod channels;
mod posts;
mod users;
