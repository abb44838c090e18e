//! What operators read: wildcards, topology, JSON. Sees only a [`view::View`].

pub mod view;
