package sqliteq_test

func childMain() bool { return false }
