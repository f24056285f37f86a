//! What a segment carries: the transmission header, the descriptor, and the headers chained behind it.
