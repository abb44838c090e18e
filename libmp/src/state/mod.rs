//! Files that persist: bindings, wwids. Formats only; writing them is an effect.
