//! What IBM MQ allows in names of its objects.

/// Longest channel name, in characters.
pub const CHANNEL_NAME_LENGTH: usize = 20;

/// Longest name of a queue manager or queue, in characters.
pub const OBJECT_NAME_LENGTH: usize = 48;

/// Whether `name` can be an MQ name of at most `longest` characters (letters, digits and `. / _ %`).
///
/// # Errors
/// What is wrong with it, and the fix.
pub fn check(name: &str, longest: usize) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty; give a name".into());
    }
    if let Some(wrong) = name.chars().find(|&c| !(c.is_ascii_alphanumeric() || "./_%".contains(c))) {
        return Err(format!("{name:?} has the character {wrong:?}; MQ names take letters, digits and . / _ %"));
    }
    let length = name.len();
    if length > longest { Err(format!("{name:?} has {length} characters; MQ takes {longest}")) } else { Ok(()) }
}
