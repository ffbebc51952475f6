//! The subcommand that probes web servers and ports. Its flags are of one probe, and have no environment variables.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::args::common::{ConnectionArgs, PoolArg, SelectionArgs};
use crate::model::addressee::ReportTo;
use crate::model::duration;
use crate::model::settings::TimeLimit;

#[derive(Debug, Args)]
pub(in crate::cli) struct ProbeArgs {
    /// https://NAME/PATH, http://NAME/PATH, tcp://HOSTS:PORTS (10.0.0.0/28:22,80,8000-8010), dns:NAME
    #[arg(value_name = "TARGET", required = true)]
    pub(in crate::cli) targets: Vec<String>,
    /// Probe from the hosts of -R and -H, through the connection to each: nothing is needed there.
    #[arg(long)]
    pub(in crate::cli) from: bool,
    /// How long one probe may take; a bare number is seconds.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    pub(in crate::cli) timeout: Duration,
    /// Statuses that are right, instead of 200 to 399: 200,204
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(100..=599))]
    pub(in crate::cli) expect_status: Vec<u16>,
    /// What the body must match: a regular expression.
    #[arg(long, value_name = "REGEX")]
    pub(in crate::cli) expect_body: Option<String>,
    /// How long a probe may take to be well: 500ms
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(in crate::cli) max_time: Option<Duration>,
    /// For how many days certificates must still be good.
    #[arg(long, value_name = "DAYS")]
    pub(in crate::cli) cert_days: Option<u32>,
    /// Believe the certificates of these authorities (PEM) instead of those of this machine's store.
    #[arg(long, value_name = "FILE", conflicts_with = "no_verify")]
    pub(in crate::cli) ca: Option<PathBuf>,
    /// Believe any certificate.
    #[arg(long)]
    pub(in crate::cli) no_verify: bool,
    /// Follow so many redirects, to http:// and https:// only.
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=20))]
    pub(in crate::cli) follow: u8,
    /// Send this header with requests: 'Authorization: Bearer ...'; repeatable.
    #[arg(long, value_name = "NAME: VALUE")]
    pub(in crate::cli) header: Vec<String>,
    /// Begin so many connections a second at most.
    #[arg(long, value_name = "N", default_value = "500", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(in crate::cli) rate: u32,
    /// Probe again and again, with this pause in between.
    #[arg(long, value_name = "TIME", value_parser = time, num_args = 0..=1, default_missing_value = "5s", require_equals = true)]
    pub(in crate::cli) watch: Option<Duration>,
    /// End after so many rounds of --watch.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "watch")]
    pub(in crate::cli) rounds: Option<u32>,
    /// Print data for programs: an object per probe and line.
    #[arg(short = 'o', value_name = "WHAT", value_enum)]
    pub(in crate::cli) data: Option<ProbeData>,
    /// Also write the results to FILE: .json or .csv; or send them: mailto:ADDRESS, https://..., or a NAME of `reports` in
    /// fan.yaml; repeatable. With --watch, those are sent when something changed.
    #[arg(long, value_name = "FILE", value_parser = ReportTo::parse, value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) report: Vec<ReportTo>,
    #[command(flatten)]
    pub(in crate::cli) selection: SelectionArgs,
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,
    #[command(flatten)]
    pub(in crate::cli) pool: PoolArg,
}

/// What `-o` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ProbeData {
    /// JSON.
    Json,
}

fn time(text: &str) -> Result<Duration, String> {
    match duration::parse_seconds(text)? {
        TimeLimit::After(time) => Ok(time),
        TimeLimit::None => Err("must be a time, such as 10s".to_owned()),
    }
}
