//! RFH2 `dt` types and values (mapping rules, section 8).

use bytes::Bytes;

use super::Value;
use super::id;
use super::markup::Element;

/// A value that does not fit its type; the text stays what it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is {text:?}, which is no {kind}")]
pub struct Misfit {
    /// The element's name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Its text, at most 40 characters of it.
    pub text: String,
}

/// The type of an element as its `dt` says: `string` where it says nothing.
pub fn kind<'a>(element: &'a Element<'_>) -> &'a str {
    element.attribute("dt").unwrap_or("string")
}

/// The value of an element by its `dt` and `xsi:nil`. `int` may hold what i8 holds. Blanks around numbers are ignored.
///
/// # Errors
/// Where the text does not fit the type, or the type is unknown.
pub fn value(element: &Element<'_>) -> Result<Value, Misfit> {
    if element.is_nil() {
        return Ok(Value::Null);
    }
    let (kind, text) = (kind(element), &element.text);
    if kind == "string" {
        return Ok(Value::String(text.clone().into_owned()));
    }
    let number = text.trim();
    let value = match kind {
        "boolean" => match number {
            "1" | "true" => Some(Value::Boolean(true)),
            "0" | "false" => Some(Value::Boolean(false)),
            _ => None,
        },
        "i1" => number.parse().ok().map(Value::Byte),
        "i2" => number.parse().ok().map(Value::Short),
        "i4" => number.parse().ok().map(Value::Int),
        "i8" | "int" => number.parse().ok().map(Value::Long),
        "r4" => number.parse().ok().filter(|v: &f32| v.is_finite() || !has_digit(number)).map(Value::Float),
        "r8" => number.parse().ok().filter(|v: &f64| v.is_finite() || !has_digit(number)).map(Value::Double),
        "bin.hex" => id::unhex(number).map(|bytes| Value::Bytes(Bytes::from(bytes))),
        "char" => {
            let mut units = text.encode_utf16();
            units.next().filter(|_| units.next().is_none()).map(Value::Char)
        }
        _ => None,
    };
    value.ok_or_else(|| Misfit {
        name: element.name.to_owned(),
        kind: kind.to_owned(),
        text: text.chars().take(40).collect(),
    })
}

/// Whether a number was meant, and not `Infinity` or `NaN`.
fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::markup;

    fn of(text: &str) -> Result<Value, String> {
        value(&markup::read(text, 10).expect(text)[0].element).map_err(|misfit| misfit.kind)
    }

    /// Texts from the JMS samples 051, 038 and 042, and the special floats of the wire reference, observed (O).
    #[test]
    fn every_type() {
        for (text, expected) in [
            ("<p dt='i1'>-128</p>", Value::Byte(-128)),
            ("<p dt='i2'>32767</p>", Value::Short(32767)),
            ("<p dt='i4'>-2147483648</p>", Value::Int(i32::MIN)),
            ("<p dt=\"i8\">9223372036854775807</p>", Value::Long(i64::MAX)),
            ("<p dt='int'>6</p>", Value::Long(6)),
            ("<p dt='r4'>3.4028235E38</p>", Value::Float(f32::MAX)),
            ("<p dt='r8'>4.9E-324</p>", Value::Double(4.9e-324)),
            ("<p dt='r8'>1.7976931348623157E308</p>", Value::Double(f64::MAX)),
            ("<p dt='r4'>-Infinity</p>", Value::Float(f32::NEG_INFINITY)),
            ("<p dt='r8'>Infinity</p>", Value::Double(f64::INFINITY)),
            ("<p dt='boolean'>1</p>", Value::Boolean(true)),
            ("<p dt='boolean'>0</p>", Value::Boolean(false)),
            ("<p dt='bin.hex'>0001ff</p>", Value::Bytes(Bytes::from_static(&[0, 1, 255]))),
            ("<p dt='char'>é</p>", Value::Char(0xE9)),
            ("<p></p>", Value::String(String::new())),
            ("<p dt='string'> a </p>", Value::String(" a ".into())),
            ("<p dt='i4' xsi:nil='true'></p>", Value::Null),
        ] {
            assert_eq!(of(text), Ok(expected), "{text}");
        }
        assert!(matches!(of("<p dt='r8'>NaN</p>"), Ok(Value::Double(v)) if v.is_nan()));
        assert!(matches!(of("<p dt='r8'>-0.0</p>"), Ok(Value::Double(v)) if v == 0.0 && v.is_sign_negative()));
    }

    #[test]
    fn misfits() {
        for text in [
            "<p dt='i1'>128</p>",
            "<p dt='i4'>x</p>",
            "<p dt='r4'>1e99</p>",
            "<p dt='bin.hex'>0</p>",
            "<p dt='char'>ab</p>",
            "<p dt='char'>🚀</p>",
            "<p dt='boolean'>2</p>",
            "<p dt='date'>2026-11-23</p>",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
