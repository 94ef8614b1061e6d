//! Checks of trusted documents, the image storage, the mail server, the identity providers and the limit of open files.

use super::{
    super::{
        descriptors::{self, OpenFiles},
        settings::{limits, mail_settings},
    },
    in_time,
    report::{Finding, Report},
};
use crate::{
    auth::external::{self, IssuerSettings},
    cli::Outcome,
    config::Config,
    graphql,
    images::{self, StorageSettings},
    mail,
};

pub(super) async fn check(config: &Config, report: &mut Report) -> Outcome {
    report.add("image-storage", storage(config).await)?;
    report.add("mail", mail(config).await)?;
    identity_providers(config, report).await
}

/// As the service reads the manifests at its start.
pub(super) fn trusted_documents(config: &Config) -> Finding {
    if config.documents.shown_mode().is_none() {
        return Finding::skipped("SNAPNOTE_DOCUMENTS is not set");
    }
    let settings = config.documents.settings();
    let checked =
        settings.and_then(|settings| graphql::check_documents(limits(&config.limits), &settings));
    match checked {
        Ok(documents) => Finding::ok(format!("{documents} documents are valid")),
        Err(problem) => Finding::failed(
            problem,
            "Check SNAPNOTE_DOCUMENTS, or generate the manifest again with the schema of this version.",
        ),
    }
}

async fn storage(config: &Config) -> Finding {
    let remedy = "Check SNAPNOTE_STORAGE_URL, its credentials, and the rights to read, write and delete objects \
                  (docs/operations.md).";
    let settings = match config.storage.storage(&config.database.data_dir) {
        Ok(settings) => settings,
        Err(problem) => return Finding::failed(problem, remedy),
    };
    let place = match &settings {
        StorageSettings::Folder(folder) => folder.display().to_string(),
        StorageSettings::S3 { url, .. } => {
            format!("s3://{}{}", url.host_str().unwrap_or_default(), url.path())
        }
    };
    match in_time(images::probe(&settings)).await {
        Ok(Ok(())) => Finding::ok(format!("{place}: an object was written, read and deleted")),
        Ok(Err(problem)) | Err(problem) => Finding::failed(format!("{place}: {problem}"), remedy),
    }
}

async fn mail(config: &Config) -> Finding {
    let Some(url) = &config.mail.smtp_url else {
        return Finding::warning(
            "SNAPNOTE_SMTP_URL is not set, so emails are written to files",
            "Set it in production.",
        );
    };
    if mail::check_server(url.reveal(), &config.mail.app_url()).is_err() {
        return Finding::skipped("SNAPNOTE_SMTP_URL is invalid");
    }
    let settings = mail_settings(&config.mail, config.database.data_dir.join("mails"));
    match in_time(mail::probe(&settings)).await {
        Ok(Ok(())) => {
            Finding::ok("the server accepts connections and the login; no email was sent")
        }
        Ok(Err(problem)) | Err(problem) => Finding::failed(
            problem,
            "Check SNAPNOTE_SMTP_URL: host, port, TLS (smtps:// or smtp://), user and password.",
        ),
    }
}

async fn identity_providers(config: &Config, report: &mut Report) -> Outcome {
    let Some(issuers) = &config.auth.issuers else {
        return report.add(
            "identity-providers",
            Finding::skipped("none are configured"),
        );
    };
    let Ok(issuers) = IssuerSettings::read(issuers.reveal()) else {
        let finding = Finding::skipped("SNAPNOTE_ISSUERS is invalid");
        return report.add("identity-providers", finding);
    };
    for issuer in issuers {
        let name = format!("provider {}", issuer.name());
        let finding = match in_time(external::probe(&issuer)).await {
            Ok(Ok(keys)) => Finding::ok(match keys {
                Some(keys) => format!("{keys} usable keys"),
                None => "a shared secret; nothing to fetch".to_owned(),
            }),
            Ok(Err(problem)) | Err(problem) => Finding::failed(
                problem,
                "Check jwks_url in SNAPNOTE_ISSUERS, and that this machine can reach it.",
            ),
        };
        report.add(&name, finding)?;
    }
    Ok(())
}

pub(super) fn open_files(config: &Config) -> Finding {
    match descriptors::check(config) {
        OpenFiles::Enough { limit } => Finding::ok(format!("up to {limit} open files")),
        OpenFiles::FewClients {
            limit,
            needed,
            available,
        } => Finding::warning(
            format!(
                "the limit is {limit}, but {needed} are needed; {available} clients can be served"
            ),
            format!(
                "{}, or lower SNAPNOTE_MAX_CONNECTIONS and SNAPNOTE_MAX_SOCKETS.",
                descriptors::REMEDY
            ),
        ),
        OpenFiles::TooFew { message } => Finding::failed(message, descriptors::REMEDY),
    }
}
