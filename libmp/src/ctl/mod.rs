//! The control language: grammar and wire framing.
