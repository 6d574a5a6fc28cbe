//! What one would use instead, one file per format, and what no implementation can be faster than.

pub(crate) mod q64;
mod roofline;
pub(crate) mod simhash;
pub(crate) mod top_k;
pub(crate) mod z_order;
