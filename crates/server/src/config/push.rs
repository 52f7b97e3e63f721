//! With which accounts devices are notified.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::push::{APNS_URL, ApnsAccount, FCM_URL, FcmAccount, Pem, PushSettings};

/// How to notify devices. Without an account of a service, its devices are not.
#[derive(Debug, Clone, Args)]
pub struct Push {
    /// The key for Apple's push service (.p8); needs its id, the team's and a topic
    #[arg(long, env = "BANTER_APNS_KEY_FILE", value_name = "FILE", requires_all = ["apns_key_id", "apns_team_id", "apns_topic"])]
    pub apns_key_file: Option<PathBuf>,
    /// The id of that key
    #[arg(long, env = "BANTER_APNS_KEY_ID", value_name = "ID", requires = "apns_key_file")]
    pub apns_key_id: Option<String>,
    /// The id of its team
    #[arg(long, env = "BANTER_APNS_TEAM_ID", value_name = "ID", requires = "apns_key_file")]
    pub apns_team_id: Option<String>,
    /// Which app on the devices is meant: its bundle id
    #[arg(long, env = "BANTER_APNS_TOPIC", value_name = "ID", requires = "apns_key_file")]
    pub apns_topic: Option<String>,
    /// Where Apple's push service is; for development builds https://api.sandbox.push.apple.com
    #[arg(long, env = "BANTER_APNS_URL", value_name = "URL", default_value = APNS_URL)]
    pub apns_url: String,
    /// The service account for Google's push service (.json)
    #[arg(long, env = "BANTER_FCM_ACCOUNT_FILE", value_name = "FILE")]
    pub fcm_account_file: Option<PathBuf>,
    /// Where Google's push service is
    #[arg(long, env = "BANTER_FCM_URL", value_name = "URL", default_value = FCM_URL)]
    pub fcm_url: String,
    /// Where its access tokens are to be had; without, where the account says
    #[arg(long, env = "BANTER_FCM_TOKEN_URL", value_name = "URL")]
    pub fcm_token_url: Option<String>,
}

impl Push {
    /// Reads the accounts. Errors: which setting cannot work, and why.
    pub fn settings(&self) -> Result<PushSettings, String> {
        let apns_url = base("--apns-url", &self.apns_url)?;
        let fcm_url = base("--fcm-url", &self.fcm_url)?;
        let token_url = self.fcm_token_url.as_deref().map(|url| base("--fcm-token-url", url)).transpose()?;
        let apns = match (&self.apns_key_file, &self.apns_key_id, &self.apns_team_id, &self.apns_topic) {
            (Some(file), Some(key_id), Some(team_id), Some(topic)) => {
                for (flag, text) in [("--apns-key-id", key_id), ("--apns-team-id", team_id), ("--apns-topic", topic)] {
                    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                        return Err(format!("{flag}: printable ASCII characters without spaces"));
                    }
                }
                let named = |why: String| format!("--apns-key-file {}: {why}", file.display());
                let key = Pem::elliptic(&text_of(file).map_err(named)?).map_err(named)?;
                let (key_id, team_id, topic) = (key_id.clone(), team_id.clone(), topic.clone());
                Some(ApnsAccount { url: apns_url, key, key_id, team_id, topic })
            }
            _ => None,
        };
        let fcm = match &self.fcm_account_file {
            None => None,
            Some(file) => {
                let named = |why: String| format!("--fcm-account-file {}: {why}", file.display());
                let account = FcmAccount::read(&text_of(file).map_err(named)?, fcm_url, token_url).map_err(named)?;
                base("the token_uri", &account.token_url).map_err(named)?;
                Some(account)
            }
        };
        Ok(PushSettings { apns, fcm, ..PushSettings::default() })
    }
}

fn text_of(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}

/// An address that requests can be made to, without a slash at its end.
fn base(flag: &str, url: &str) -> Result<String, String> {
    match reqwest::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        Ok(_) => Err(format!("{flag} {url}: the address must begin with http:// or https://")),
        Err(error) => Err(format!("{flag} {url}: {error}")),
    }
}
