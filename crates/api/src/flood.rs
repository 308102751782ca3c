//! The coarse shield in front of everything, per client address.
//!
//! Alone in its module and its cargo feature, because actix-governor is GPL-3.0-or-later; the
//! rate limits of the contract do not depend on it.

#[cfg(feature = "flood-shield")]
pub(crate) use shield::{FloodShield, middleware};

/// Stands where the shield is not compiled in; does nothing.
#[cfg(not(feature = "flood-shield"))]
pub(crate) fn middleware(_: &crate::ApiState) -> actix_web::middleware::Identity {
    actix_web::middleware::Identity::default()
}

#[cfg(feature = "flood-shield")]
mod shield {
    use std::{
        net::{IpAddr, Ipv4Addr},
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use actix_governor::{
        Governor, GovernorConfig, GovernorConfigBuilder, KeyExtractor, SimpleKeyExtractionError,
        governor::{
            NotUntil,
            clock::{Clock, DefaultClock, QuantaInstant},
            middleware::NoOpMiddleware,
        },
    };
    use actix_web::{
        HttpResponse, HttpResponseBuilder, dev::ServiceRequest, middleware::Condition, web,
    };

    use crate::{
        ApiState, FloodLimit,
        middleware::{address, limit::Numbers},
    };

    type Shield = GovernorConfig<ClientAddress, NoOpMiddleware>;

    /// After how many calls addresses that were not seen lately are forgotten.
    const PURGE_EVERY: u32 = 4_096;

    /// The counters, shared by all worker threads.
    pub(crate) struct FloodShield {
        config: Shield,
        calls: AtomicU32,
    }

    impl FloodShield {
        /// Prepares the counters; `None` for a limit of nothing.
        pub(crate) fn new(limit: FloodLimit) -> Option<Self> {
            let config = GovernorConfigBuilder::default()
                .requests_per_second(limit.per_second.max(1).into())
                .burst_size(limit.burst)
                .key_extractor(ClientAddress(limit))
                .finish()?;
            Some(Self { config, calls: AtomicU32::new(0) })
        }

        fn called(&self) {
            if self.calls.fetch_add(1, Ordering::Relaxed) % PURGE_EVERY == PURGE_EVERY - 1 {
                self.config.limiter().retain_recent();
            }
        }
    }

    /// The middleware; does nothing where there is no limit.
    pub(crate) fn middleware(
        state: &ApiState,
    ) -> Condition<Governor<ClientAddress, NoOpMiddleware>> {
        let governor = match &state.flood {
            Some(shield) => Governor::new(&shield.config),
            None => Governor::new(&idle()),
        };
        Condition::new(state.flood.is_some(), governor)
    }

    /// Stands where no shield is wanted; the condition around it keeps it from being asked.
    fn idle() -> Shield {
        let limit = FloodLimit { per_second: 1, burst: 1 };
        GovernorConfigBuilder::default()
            .key_extractor(ClientAddress(limit))
            .finish()
            .expect("the defaults are not zero")
    }

    /// Keys a call by its client's address.
    #[derive(Clone)]
    pub(crate) struct ClientAddress(FloodLimit);

    impl KeyExtractor for ClientAddress {
        type Key = IpAddr;
        type KeyExtractionError = SimpleKeyExtractionError<&'static str>;

        fn extract(&self, request: &ServiceRequest) -> Result<IpAddr, Self::KeyExtractionError> {
            let state = request.app_data::<web::Data<ApiState>>();
            if let Some(shield) = state.and_then(|state| state.flood.as_ref()) {
                shield.called();
            }
            Ok(address::bucket(request).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
        }

        fn exceed_rate_limit_response(
            &self,
            negative: &NotUntil<QuantaInstant>,
            _: HttpResponseBuilder,
        ) -> HttpResponse {
            let wait = negative.wait_time_from(DefaultClock::default().now());
            let FloodLimit { per_second, .. } = self.0;
            let numbers = Numbers::exhausted("flood", per_second, Duration::from_secs(1), wait);
            HttpResponse::from_error(numbers.refusal())
        }
    }
}
