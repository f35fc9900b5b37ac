//! The simulator over its sockets: against recordings of a real server, and against itself.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod events;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod integrations;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod page;
#[cfg(test)]
mod receivers;
#[cfg(test)]
mod set_up;
#[cfg(test)]
mod support;
