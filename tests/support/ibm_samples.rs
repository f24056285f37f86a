//! The messages that IBM's own software wrote, with what their JSON files say of them.

use std::fs;
use std::path::{Path, PathBuf};

use mqferry::message::{Chars, Coding, Description};
use serde_json::Value;

/// Every JSON file of a folder of `protocol-captures`, in order of name.
pub(crate) fn files(folder: &str) -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol-captures").join(folder);
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    names.sort();
    names.into_iter().map(|path| (path.clone(), serde_json::from_slice(&fs::read(path).unwrap()).unwrap())).collect()
}

/// What a descriptor would say of a piece of this format.
pub(crate) fn description(format: &str, encoding: i32, ccsid: i32) -> Description {
    Description { encoding, ccsid, format: Chars::from_text(format, Coding::default()).unwrap() }
}

/// What `ibm-headers` says of a file's first structure.
pub(crate) fn first_of(sample: &Value) -> Description {
    let format = match sample["headers"][0]["class"].as_str().unwrap() {
        "MQXQH" => "MQXMIT",
        "MQMD1" | "MQMD2" | "MQMD" => "MQMD",
        "MQRFH2" => "MQHRF2",
        "MQRMH" => "MQHREF",
        "MQTM" => "MQTRIG",
        "MQWIH" => "MQHWIH",
        "MQCIH" => "MQCICS",
        "MQIIH" => "MQIMS",
        "MQDH" => "MQHDIST",
        "MQSAPH" => "MQHSAP",
        other => panic!("no format for {other}"),
    };
    let int = |name: &str| i32::try_from(sample[name].as_i64().unwrap()).unwrap();
    description(format, int("encoding"), int("ccsid"))
}
