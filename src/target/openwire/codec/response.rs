//! Answers to commands that wanted one; `correlation_id` is the command's id.

use super::handshake::Throwable;
use super::structure::{Structure, structure};

structure! {
    /// Done.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    Response = command 30 {
        /// Which command.
        correlation_id: i32;
    }
}

structure! {
    /// Refused.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ExceptionResponse = command 31 {
        /// Which command.
        correlation_id: i32;
        /// Why.
        exception: Option<Throwable>;
    }
}

structure! {
    /// Done, and here is what was asked for.
    #[derive(Clone, Debug, Default, PartialEq)]
    DataResponse = command 32 {
        /// Which command.
        correlation_id: i32;
        /// The thing.
        data: Option<Structure>;
    }
}

structure! {
    /// Done, and here are the things that were asked for.
    #[derive(Clone, Debug, Default, PartialEq)]
    DataArrayResponse = command 33 {
        /// Which command.
        correlation_id: i32;
        /// The things.
        data: Option<Vec<Structure>>;
    }
}

structure! {
    /// Done, and here is a number: a prepared transaction's vote (2: nothing to commit, 3: prepared).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    IntegerResponse = command 34 {
        /// Which command.
        correlation_id: i32;
        /// The number.
        result: i32;
    }
}
