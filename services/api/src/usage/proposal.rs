//! A change that is thought of, and which requests of the past it would have refused. No I/O.

use std::collections::VecDeque;

use tollkeeper_authn::Replay;
use tollkeeper_domain::network::NetworkSet;
use tollkeeper_domain::rate_limit::RateLimits;
use tollkeeper_domain::token::Validity;
use tollkeeper_domain::verdict::Verdict;
use tollkeeper_read_model::usage::PassedRequest;

/// How many of what would have been refused are remembered of each kind.
pub(super) const EXAMPLES: usize = 20;

/// The checks that requests are put through, in the order in which an engine makes them.
const CHECKS: [Verdict; 4] = [
    Verdict::NotYetValid,
    Verdict::Expired,
    Verdict::IpNotAllowed,
    Verdict::RateLimited,
];

/// A change that is thought of. What it does not name refuses nothing.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) validity: Validity,
    pub(super) networks: NetworkSet,
    pub(super) limits: RateLimits,
}

/// What becomes of requests that are put through a change.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    proposal: &'a Proposal,
    limits: Replay,
    pub(super) judged: u64,
    /// How many of them have no address on record.
    pub(super) without_address: u64,
    refused: [Refused; CHECKS.len()],
}

/// What one check would have refused.
#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) requests: u64,
    /// The newest of them, from the oldest to the newest.
    pub(super) examples: VecDeque<PassedRequest>,
}

impl<'a> Trial<'a> {
    /// Of no requests so far.
    pub(super) fn of(proposal: &'a Proposal) -> Self {
        Self {
            proposal,
            limits: Replay::new(&proposal.limits),
            judged: 0,
            without_address: 0,
            refused: Default::default(),
        }
    }

    /// The first check that refuses the request. Only what passes all others is charged to limits.
    fn refuses(&mut self, request: &PassedRequest) -> Option<Verdict> {
        let at = request.timestamp;
        let Validity {
            not_before,
            expires_at,
        } = self.proposal.validity;
        let networks = &self.proposal.networks;
        if not_before.is_some_and(|start| at < start) {
            Some(Verdict::NotYetValid)
        } else if expires_at.is_some_and(|end| end <= at) {
            Some(Verdict::Expired)
        } else if request.ip.is_some_and(|ip| !networks.contains(ip)) {
            Some(Verdict::IpNotAllowed)
        } else if !self.limits.passes(at.timestamp_micros()) {
            Some(Verdict::RateLimited)
        } else {
            None
        }
    }

    /// Puts a request through the change. Requests come in the order of their moments.
    pub(super) fn judge(&mut self, request: PassedRequest) {
        self.judged += 1;
        self.without_address += u64::from(request.ip.is_none());
        let Some(verdict) = self.refuses(&request) else {
            return;
        };
        let mut checks = CHECKS.into_iter().zip(&mut self.refused);
        if let Some((_, refused)) = checks.find(|(check, _)| *check == verdict) {
            refused.requests += 1;
            if refused.examples.len() == EXAMPLES {
                refused.examples.pop_front();
            }
            refused.examples.push_back(request);
        }
    }

    /// The checks that refused something, with what that was.
    pub(super) fn refused(self) -> impl Iterator<Item = (Verdict, Refused)> {
        let checks = CHECKS.into_iter().zip(self.refused);
        checks.filter(|(_, refused)| refused.requests > 0)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use tollkeeper_domain::rate_limit::RateLimit;

    use super::*;

    fn start() -> DateTime<Utc> {
        "2026-11-20T00:00:00Z".parse().unwrap()
    }

    fn request(second: i64, ip: Option<&str>) -> PassedRequest {
        PassedRequest {
            timestamp: start() + TimeDelta::seconds(second),
            endpoint: format!("/{second}"),
            method: "GET".to_owned(),
            status: 200,
            ip: ip.map(|it| it.parse().unwrap()),
            user_agent: String::new(),
        }
    }

    fn proposal(networks: &[&str], limits: Vec<RateLimit>) -> Proposal {
        let networks: Vec<_> = networks.iter().map(|it| it.parse().unwrap()).collect();
        Proposal {
            validity: Validity::default(),
            networks: networks.try_into().unwrap(),
            limits: RateLimits::try_from(limits).unwrap(),
        }
    }

    fn tried(
        proposal: &Proposal,
        requests: Vec<PassedRequest>,
    ) -> (Trial<'_>, Vec<(Verdict, u64)>) {
        let mut trial = Trial::of(proposal);
        for request in requests {
            trial.judge(request);
        }
        let refused = trial.refused.iter().map(|it| it.requests);
        let refused = CHECKS.into_iter().zip(refused);
        let refused = refused.filter(|(_, requests)| *requests > 0).collect();
        (trial, refused)
    }

    #[test]
    fn the_first_check_that_refuses_is_the_one_that_is_told() {
        let second = |second| Some(start() + TimeDelta::seconds(second));
        let mut narrow = proposal(&["192.0.2.0/24"], Vec::new());
        narrow.validity = Validity {
            not_before: second(1),
            expires_at: second(3),
        };
        let requests = vec![
            request(0, Some("198.51.100.9")),
            request(1, Some("198.51.100.9")),
            request(1, Some("::ffff:192.0.2.7")),
            request(2, None),
            request(3, Some("198.51.100.9")),
        ];
        let (trial, refused) = tried(&narrow, requests);
        assert_eq!((trial.judged, trial.without_address), (5, 1));
        let expected = [
            (Verdict::NotYetValid, 1),
            (Verdict::Expired, 1),
            (Verdict::IpNotAllowed, 1),
        ];
        assert_eq!(refused, expected);
    }

    #[test]
    fn what_another_check_refuses_takes_nothing_of_a_limit() {
        let limit = RateLimit::new("hour", 1, 3600, Some(1), None);
        let requests = vec![
            request(0, Some("198.51.100.9")),
            request(1, Some("192.0.2.7")),
            request(2, Some("192.0.2.7")),
            request(3601, Some("192.0.2.7")),
        ];
        let bounded = proposal(&["192.0.2.0/24"], vec![limit]);
        let (trial, refused) = tried(&bounded, requests);
        let expected = [(Verdict::IpNotAllowed, 1), (Verdict::RateLimited, 1)];
        assert_eq!(refused, expected);
        let examples = trial.refused().flat_map(|(_, it)| it.examples);
        let examples: Vec<String> = examples.map(|it| it.endpoint).collect();
        assert_eq!(examples, ["/0", "/2"]);
    }

    #[test]
    fn the_newest_are_remembered_and_all_are_counted() {
        let requests = (0..50).map(|second| request(second, Some("198.51.100.9")));
        let narrow = proposal(&["192.0.2.0/24"], Vec::new());
        let (trial, refused) = tried(&narrow, requests.collect());
        assert_eq!(refused, [(Verdict::IpNotAllowed, 50)]);
        let examples = trial.refused().flat_map(|(_, it)| it.examples);
        let examples: Vec<String> = examples.map(|it| it.endpoint).collect();
        assert_eq!(examples.len(), EXAMPLES);
        assert_eq!((&*examples[0], &*examples[19]), ("/30", "/49"));
    }

    #[test]
    fn a_change_that_names_nothing_refuses_nothing() {
        let requests = (0..5).map(|second| request(second, None)).collect();
        let nothing = proposal(&[], Vec::new());
        let (trial, refused) = tried(&nothing, requests);
        assert_eq!((trial.judged, refused), (5, Vec::new()));
    }
}
