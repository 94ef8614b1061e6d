//! The search as a caller sees it. What it finds of what people write is judged by the golden set, in `golden`.

mod golden;
