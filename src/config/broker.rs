//! `[broker]`: where the broker is, and how we show who we are.

use std::fs::File;
use std::path::PathBuf;

use super::plan::{BrokerPlan, Login, TlsFiles};
use super::problem::Report;
use super::section::{Placed, Section};
use super::{Environment, Secret};
use crate::target::address::BrokerAddress;

/// Reads `[broker]`.
pub(super) fn read(
    root: &mut Section<'_>,
    report: &mut Report<'_>,
    environment: Environment<'_>,
) -> Option<BrokerPlan> {
    let mut section = root.section(report, "broker");
    let url = url(&mut section, report);
    let login = login(&mut section, report, environment);
    let tls = tls(&mut section, report, url.as_ref().map(|(_, address)| address));
    let name = section.text(report, "name").map(|text| text.value).unwrap_or_default();
    section.finish(report, &[]);
    let (url, address) = url?;
    Some(BrokerPlan { url, address, name, login, tls })
}

fn url(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<(String, BrokerAddress)> {
    let Some(url) = section.text(report, "url") else {
        section.require(report, "url", "is missing; write a broker address, as tcp://host:61616, or embedded:DIR");
        return None;
    };
    let problem = match url.value.parse() {
        Ok(address) => return Some((url.value, address)),
        Err(error) => error.to_string().trim_start_matches("broker address: ").to_owned(),
    };
    report.at(&url.span, &section.key("url"), problem);
    None
}

fn login(section: &mut Section<'_>, report: &mut Report<'_>, environment: Environment<'_>) -> Option<Login> {
    let user = section.text(report, "user");
    let file = section.text(report, "password_file");
    let variable = section.text(report, "password_env");
    if let Some(span) = section.place_of("password") {
        let text = "secrets are not kept in the configuration; put it in a file and name that with password_file";
        report.at(&span, &section.key("password"), text);
        return None;
    }
    let secret = match (&file, &variable) {
        (Some(_), Some(variable)) => {
            let text = "password_file is given too; keep one of the two";
            report.at(&variable.span, &section.key("password_env"), text);
            return None;
        }
        (Some(file), None) => secret_of_file(file, report, &section.key("password_file"))?,
        (None, Some(variable)) => match environment(&variable.value).filter(|secret| !secret.is_empty()) {
            Some(secret) => Secret::new(secret),
            None => {
                let text = format!("the environment has no {}; set it for this process", variable.value);
                report.at(&variable.span, &section.key("password_env"), text);
                return None;
            }
        },
        (None, None) => {
            if let Some(user) = user {
                let text = "has no password; add password_file or password_env";
                report.at(&user.span, &section.key("user"), text);
            }
            return None;
        }
    };
    let Some(user) = user else {
        if let Some(given) = file.or(variable) {
            report.at(&given.span, &section.key("user"), "is missing, but there is a password; add user");
        }
        return None;
    };
    Some(Login { user: user.value, password: secret })
}

fn secret_of_file(file: &Placed<String>, report: &mut Report<'_>, key: &str) -> Option<Secret> {
    let problem = match std::fs::read_to_string(&file.value).map(Secret::new) {
        Ok(text) => {
            // Editors and echo end a file with a newline that is no part of the password.
            let secret = text.expose().strip_suffix('\n').unwrap_or(text.expose());
            let secret = secret.strip_suffix('\r').unwrap_or(secret);
            if !secret.is_empty() {
                return Some(Secret::new(secret.to_owned()));
            }
            "is empty; put the password into it".to_owned()
        }
        Err(error) => format!("cannot be read ({error}); put the password into that file, readable for this user"),
    };
    report.at(&file.span, key, format!("{} {problem}", file.value));
    None
}

fn tls(section: &mut Section<'_>, report: &mut Report<'_>, address: Option<&BrokerAddress>) -> TlsFiles {
    let plain = address.is_some_and(|address| !uses_tls(address));
    let mut places = Vec::new();
    let mut file = |section: &mut Section<'_>, report: &mut Report<'_>, key: &'static str| {
        let file = section.text(report, key)?;
        if let Err(error) = File::open(&file.value) {
            let text = format!("{} cannot be read ({error}); name a PEM file", file.value);
            report.at(&file.span, &section.key(key), text);
        }
        places.push((key, file.span));
        Some(PathBuf::from(file.value))
    };
    let files = TlsFiles {
        ca_file: file(section, report, "ca_file"),
        cert_file: file(section, report, "cert_file"),
        key_file: file(section, report, "key_file"),
    };
    let (given, lacks) = match (&files.cert_file, &files.key_file) {
        (Some(_), None) => ("cert_file", "key_file"),
        (None, Some(_)) => ("key_file", "cert_file"),
        _ => ("", ""),
    };
    for (key, span) in &places {
        if *key == given {
            report.at(span, &section.key(key), format!("goes together with {lacks}; add that, or remove this"));
        }
        if plain {
            let text =
                "the broker's url is one without TLS; write ssl:// (over AMQP: amqps://) there, or remove this line";
            report.at(span, &section.key(key), text);
        }
    }
    files
}

fn uses_tls(address: &BrokerAddress) -> bool {
    match address {
        BrokerAddress::Amqp(brokers) | BrokerAddress::OpenWire(brokers) => {
            brokers.endpoints.iter().any(|endpoint| endpoint.tls)
        }
        BrokerAddress::Embedded(_) => false,
    }
}
