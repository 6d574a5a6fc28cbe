//! The QuadB64 family as its format describes it, slowly and plainly, one file per format. Shares no code and no table with the
//! encoder: what it says is held against known answers, and the encoder against it.

pub(crate) mod batch;
pub(crate) mod q64;
pub(crate) mod stream;
