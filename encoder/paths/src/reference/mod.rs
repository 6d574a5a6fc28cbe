//! The QuadB64 family as its format describes it, slowly and plainly, one file per format. Shares no code and no table with the
//! encoder: what it says is held against known answers, and the encoder against it.

pub(crate) mod batch;
pub(crate) mod eq64;
pub(crate) mod mq64;
pub(crate) mod q64;
pub(crate) mod simhash;
pub(crate) mod stream;
pub(crate) mod top_k;
pub(crate) mod z_order;
