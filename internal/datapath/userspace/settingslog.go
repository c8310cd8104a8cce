package userspace

import "time"

// logSettings tells what changed, in the words that users look for in the log;
// first says that nothing was in force before.
func logSettings(was, s *settings, first bool) {
	if s.badAssign && !was.badAssign {
		log.Warn("Unsupported rx queue to PMD assignment mode in pmd-rxq-assign. Defaulting to 'cycles'.")
	}
	if was.assign != s.assign {
		log.Info("Rxq to PMD assignment mode changed to: '%s'.", s.assign)
	}
	if s.badIsolate && !was.badIsolate {
		log.Warn("pmd-rxq-isolate can only be set false when using pmd-rxq-assign=group")
	}
	if first || was.isolate != s.isolate {
		what := "isolates"
		if !s.isolate {
			what = "does not isolate"
		}
		log.Info("pmd-rxq-affinity %s PMD core", what)
	}
	logBalance(&was.balance, &s.balance, first)
	if was.metrics != s.metrics {
		log.Info("PMD performance metrics collection %s", enabled(s.metrics))
	}
	if first || was.sleep.most != s.sleep.most {
		log.Info("PMD max sleep request is %d usecs.", s.sleep.most/time.Microsecond)
		log.Info("PMD load based sleeps are %s.", enabled(s.sleep.most > 0))
	}
}

func enabled(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

func logBalance(was, s *balanceSettings, first bool) {
	if first || was.interval != s.interval {
		log.Info("PMD auto load balance interval set to %d mins", s.interval/time.Minute)
	}
	if first || was.improvement != s.improvement {
		log.Info("PMD auto load balance improvement threshold set to %d%%", s.improvement)
	}
	if first || was.load != s.load {
		log.Info("PMD auto load balance load threshold set to %d%%", s.load)
	}
	if first || was.on != s.on {
		logBalanceState(s)
	}
}

// logBalanceState says whether the load is balanced automatically.
func logBalanceState(s *balanceSettings) {
	if !s.on {
		log.Info("PMD auto load balance is disabled.")
		return
	}
	log.Info("PMD auto load balance is enabled, interval %d mins, pmd load threshold %d%%, improvement threshold %d%%.",
		s.interval/time.Minute, s.load, s.improvement)
}
