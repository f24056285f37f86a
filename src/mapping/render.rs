//! Values as the XML-like text of MQRFH2 folders and of map and stream bodies, written as IBM's JMS client writes them
//! (wire reference, observed, O; the samples of `protocol-captures/ibm-jms`).

use std::borrow::Cow;
use std::fmt::Write;

use super::{Value, id};

/// Where text stands, for IBM's client writes characters beyond the BMP differently there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a folder: such a character is a reference, `&#x1f680;`.
    Folder,
    /// In a body: as it is.
    Body,
}

/// Appends `<name dt='i4'>7</name>`; the name must be one that an element can have.
pub fn element(out: &mut String, name: &str, value: &Value, place: Place) {
    start(out, name, None, value);
    text_of(out, value, place);
    end(out, name);
}

/// Appends an entry of a map (`name` given) or an item of a stream.
pub fn entry(out: &mut String, name: Option<&str>, value: &Value) {
    start(out, "elt", name, value);
    text_of(out, value, Place::Body);
    end(out, "elt");
}

fn start(out: &mut String, name: &str, attribute: Option<&str>, value: &Value) {
    out.push('<');
    out.push_str(name);
    if let Some(attribute) = attribute {
        out.push_str(" name=\"");
        escape(out, attribute, Place::Body);
        out.push('"');
    }
    match value {
        Value::Null => out.push_str(" xsi:nil='true'"),
        Value::String(_) => {}
        other => {
            out.push_str(" dt='");
            out.push_str(dt(other));
            out.push('\'');
        }
    }
    out.push('>');
}

fn end(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// The `dt` of a type; `string` where none is written.
pub(super) fn dt(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::String(_) => "string",
        Value::Boolean(_) => "boolean",
        Value::Byte(_) => "i1",
        Value::Short(_) => "i2",
        Value::Int(_) => "i4",
        Value::Long(_) => "i8",
        Value::Float(_) => "r4",
        Value::Double(_) => "r8",
        Value::Char(_) => "char",
        Value::Bytes(_) => "bin.hex",
    }
}

/// Appends the text of a value.
pub(super) fn text_of(out: &mut String, value: &Value, place: Place) {
    let _ = match value {
        Value::Null => Ok(()),
        Value::Boolean(v) => {
            out.push(if *v { '1' } else { '0' });
            Ok(())
        }
        Value::Byte(v) => {
            push_number(out, i64::from(*v));
            Ok(())
        }
        Value::Short(v) => {
            push_number(out, i64::from(*v));
            Ok(())
        }
        Value::Int(v) => {
            push_number(out, i64::from(*v));
            Ok(())
        }
        Value::Long(v) => {
            push_number(out, *v);
            Ok(())
        }
        Value::Float(v) if has_exponent(f64::from(*v)) => {
            let (shortest, one_more) = (format!("{v:e}"), format!("{v:.1e}"));
            let same = one_more.parse::<f32>().is_ok_and(|back| back == *v);
            java_exponent(out, &shortest, Some(one_more.as_str()).filter(|_| same))
        }
        Value::Double(v) if has_exponent(*v) => {
            let (shortest, one_more) = (format!("{v:e}"), format!("{v:.1e}"));
            let same = one_more.parse::<f64>().is_ok_and(|back| back == *v);
            java_exponent(out, &shortest, Some(one_more.as_str()).filter(|_| same))
        }
        Value::Float(v) if v.is_infinite() => write!(out, "{}Infinity", if *v > 0.0 { "" } else { "-" }),
        Value::Double(v) if v.is_infinite() => write!(out, "{}Infinity", if *v > 0.0 { "" } else { "-" }),
        Value::Float(v) => write!(out, "{v:?}"),
        Value::Double(v) => write!(out, "{v:?}"),
        Value::Char(unit) => {
            let character = char::from_u32(u32::from(*unit)).unwrap_or(char::REPLACEMENT_CHARACTER);
            escape(out, character.encode_utf8(&mut [0; 4]), place);
            Ok(())
        }
        Value::String(text) => {
            escape(out, text, place);
            Ok(())
        }
        Value::Bytes(bytes) => {
            id::push_hex(out, bytes);
            Ok(())
        }
    };
}

/// Appends a number's digits, as `Display` would, which is slower.
pub(super) fn push_number(out: &mut String, number: i64) {
    let (mut digits, mut rest, mut length) = ([0; 20], number.unsigned_abs(), 0);
    for to in digits.iter_mut().rev() {
        *to = b'0' + (rest % 10) as u8;
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push('-');
    }
    let digits = digits.get(digits.len() - length..).unwrap_or_default();
    out.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

/// Whether Java's `toString` writes a number with an exponent: not from 0.001 up to ten million.
fn has_exponent(value: f64) -> bool {
    let magnitude = value.abs();
    magnitude.is_finite() && magnitude != 0.0 && !(1e-3..1e7).contains(&magnitude)
}

/// A number with an exponent as Java's `toString` writes it: always at least one digit behind the point, chosen closest where one
/// more digit is free (4.9E-324).
fn java_exponent(out: &mut String, shortest: &str, one_more: Option<&str>) -> std::fmt::Result {
    let text = one_more.filter(|_| !shortest.contains('.')).unwrap_or(shortest);
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    write!(out, "{digits}{}E{exponent}", if digits.contains('.') { "" } else { ".0" })
}

/// Appends text with the five entities of XML; everything else stands as it is, control characters too (O).
pub fn escape(out: &mut String, text: &str, place: Place) {
    // Bytes that begin what is written otherwise: of those from F0 on, characters beyond the BMP.
    let is_special = |byte: u8| match byte {
        b'&' | b'<' | b'>' | b'"' | b'\'' => true,
        byte => byte >= 0xF0 && place == Place::Folder,
    };
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        out.push_str(rest.get(..at).unwrap_or_default());
        let mut left = rest.get(at..).unwrap_or_default().chars();
        let _ = match left.next() {
            Some('&') => out.write_str("&amp;"),
            Some('<') => out.write_str("&lt;"),
            Some('>') => out.write_str("&gt;"),
            Some('"') => out.write_str("&quot;"),
            Some('\'') => out.write_str("&apos;"),
            other => write!(out, "&#x{:x};", other.map_or(0, u32::from)),
        };
        rest = left.as_str();
    }
    out.push_str(rest);
}

/// A JMS property's name as the name of an element: characters that such a name cannot have become `_xHHHH_`, and so does
/// the underscore of what looks like that already. Dots are for the caller, who makes elements in elements of them.
///
/// [`restore_name`] undoes it, and nothing but it: it leaves alone what this would not have written.
pub fn element_name(name: &str) -> Cow<'_, str> {
    if is_plain_name(name) { Cow::Borrowed(name) } else { escaped(name, fits_element_name) }
}

/// Whether a name is of those that are themselves and no group's: letters of ASCII, digits and underscores.
pub(super) fn is_plain_name(name: &str) -> bool {
    let starts_plain = name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    starts_plain && name.bytes().all(is_plain_byte) && !has_escapes(name)
}

/// Whether it is a letter of ASCII, a digit or an underscore.
pub(super) fn is_plain_byte(byte: u8) -> bool {
    const PLAIN: [bool; 256] = {
        let (mut plain, mut at) = ([false; 256], 0_u8);
        while at < 128 {
            plain[at as usize] = at.is_ascii_alphanumeric() || at == b'_';
            at += 1;
        }
        plain
    };
    PLAIN[usize::from(byte)]
}

/// A name with `_xHHHH_` for each character that does not fit (the second argument: whether it is the first), and for the underscore
/// of what looks like that already. [`restored`] undoes it.
pub(super) fn escaped(name: &str, fits: impl Fn(char, bool) -> bool) -> Cow<'_, str> {
    let fits = |(at, c): (usize, char)| fits(c, at == 0);
    if name.char_indices().all(fits) && !has_escapes(name) {
        return Cow::Borrowed(name);
    }
    // From the end, for whether an underscore looks like an escape depends on how what follows it is written.
    let mut reversed: Vec<char> = Vec::with_capacity(name.len());
    for (at, c) in name.char_indices().rev() {
        let looks_escaped = || {
            let ahead: String = std::iter::once('_').chain(reversed.iter().rev().take(9).copied()).collect();
            escape_at(&ahead, 0).is_some()
        };
        if fits((at, c)) && !(c == '_' && looks_escaped()) {
            reversed.push(c);
        } else {
            reversed.extend(format!("_x{:04X}_", u32::from(c)).chars().rev());
        }
    }
    let written: String = reversed.into_iter().rev().collect();
    if written == name { Cow::Borrowed(name) } else { Cow::Owned(written) }
}

/// The property's name that [`element_name`] wrote so; any other name, one that only looks escaped too, is itself.
pub fn restore_name(written: &str) -> String {
    restored(written, element_name).unwrap_or_else(|| written.to_owned())
}

/// The name that `escape` wrote so; none where it is itself.
pub(super) fn restored(written: &str, escape: impl Fn(&str) -> Cow<'_, str>) -> Option<String> {
    if !has_escapes(written) {
        return None;
    }
    let name = unescaped(written);
    (name != written && escape(&name) == written).then_some(name)
}

/// Whether there is an `_x` in a name.
fn has_escapes(name: &str) -> bool {
    name.as_bytes().contains(&b'_') && name.as_bytes().windows(2).any(|pair| pair == b"_x")
}

fn unescaped(written: &str) -> String {
    let mut name = String::with_capacity(written.len());
    let mut at = 0;
    while let Some(c) = written.get(at..).and_then(|rest| rest.chars().next()) {
        let (c, length) = escape_at(written, at).unwrap_or((c, c.len_utf8()));
        name.push(c);
        at += length;
    }
    name
}

/// What the escape `_xHHHH_` at this place stands for and its length in bytes; only in the one form in which it is written.
fn escape_at(text: &str, at: usize) -> Option<(char, usize)> {
    let digits = text.get(at..)?.strip_prefix("_x")?;
    let end = digits.bytes().take(7).position(|b| b == b'_')?;
    let hex = digits.get(..end)?;
    let upper = hex.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    if !upper || !(hex.len() == 4 || (hex.len() > 4 && !hex.starts_with('0'))) {
        return None;
    }
    Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, end + 3))
}

/// Letters, digits, `_`, and but for the first place `-`: what every reader of MQRFH2 takes for a name.
fn fits_element_name(c: char, first: bool) -> bool {
    c == '_' || if first { c.is_alphabetic() } else { c.is_alphanumeric() || c == '-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value) -> String {
        let mut out = String::new();
        element(&mut out, "p", value, Place::Folder);
        out
    }

    /// Texts of the JMS samples 051 and 038, and of the wire reference, observed (O).
    #[test]
    fn as_ibm_writes_them() {
        for (value, expected) in [
            (Value::Byte(-128), "<p dt='i1'>-128</p>"),
            (Value::Short(32767), "<p dt='i2'>32767</p>"),
            (Value::Int(i32::MIN), "<p dt='i4'>-2147483648</p>"),
            (Value::Long(i64::MAX), "<p dt='i8'>9223372036854775807</p>"),
            (Value::Boolean(true), "<p dt='boolean'>1</p>"),
            (Value::Boolean(false), "<p dt='boolean'>0</p>"),
            (Value::Float(f32::MAX), "<p dt='r4'>3.4028235E38</p>"),
            (Value::Double(4.9e-324), "<p dt='r8'>4.9E-324</p>"),
            (Value::Double(-2.5e300), "<p dt='r8'>-2.5E300</p>"),
            (Value::Double(f64::MAX), "<p dt='r8'>1.7976931348623157E308</p>"),
            (Value::Float(1.25), "<p dt='r4'>1.25</p>"),
            (Value::Double(-0.0), "<p dt='r8'>-0.0</p>"),
            (Value::Double(f64::NEG_INFINITY), "<p dt='r8'>-Infinity</p>"),
            (Value::Float(f32::NAN), "<p dt='r4'>NaN</p>"),
            (Value::String("plain".into()), "<p>plain</p>"),
            (Value::String(String::new()), "<p></p>"),
            (Value::Null, "<p xsi:nil='true'></p>"),
            (Value::Char(0xE9), "<p dt='char'>é</p>"),
            (Value::Bytes(bytes::Bytes::from_static(&[0, 1, 0xFF])), "<p dt='bin.hex'>0001ff</p>"),
            (Value::String("a<b>&\"c\" 🚀\u{1}".into()), "<p>a&lt;b&gt;&amp;&quot;c&quot; &#x1f680;\u{1}</p>"),
        ] {
            assert_eq!(written(&value), expected);
        }
    }

    /// Texts of Double.toString and Float.toString, JDK 21.
    #[test]
    fn floats_as_java_writes_them() {
        for (value, expected) in [
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (0.001, "0.001"),
            (0.0009, "9.0E-4"),
            (100.0, "100.0"),
            (2e23, "2.0E23"),
            (1.0 / 3.0, "0.3333333333333333"),
            (123_456_789.125, "1.23456789125E8"),
        ] {
            assert_eq!(written(&Value::Double(value)), format!("<p dt='r8'>{expected}</p>"));
        }
        for (value, expected) in
            [(f32::MIN_POSITIVE, "1.17549435E-38"), (1.4e-45, "1.4E-45"), (16_777_216.0, "1.6777216E7")]
        {
            let expected = expected.replace("1.17549435E-38", "1.1754944E-38"); // JDK 19 and later
            assert_eq!(written(&Value::Float(value)), format!("<p dt='r4'>{expected}</p>"));
        }
    }

    #[test]
    fn names() {
        for (name, expected) in [
            ("colour", "colour"),
            ("my prop", "my_x0020_prop"),
            ("a:b", "a_x003A_b"),
            ("a-b", "a-b"),
            ("-a", "_x002D_a"),
            ("1st", "_x0031_st"),
            ("größe", "größe"),
            ("🚀", "_x1F680_"),
            ("a_x", "a_x"),
            ("a_x0020_b", "a_x005F_x0020_b"),
            ("<", "_x003C_"),
        ] {
            assert_eq!(element_name(name), expected);
            assert_eq!(restore_name(expected), name);
        }
        // Legal names of MQ that only look escaped.
        for name in ["a_x0041_", "a_x20_b", "_x0020", "_xABCG_", "_x00020_", "a_x0041_x0020_"] {
            assert_eq!(restore_name(name), name);
        }
    }

    proptest::proptest! {
        #[test]
        fn names_come_back(name in "(_|x|0020|005F|0041|1|-| |:|a|🚀|\\PC){0,12}") {
            let written = element_name(&name);
            proptest::prop_assert_eq!(&restore_name(&written), &name);
            let first = written.chars().next();
            proptest::prop_assert!(first.is_none_or(|c| c == '_' || c.is_alphabetic()));
        }
    }
}
