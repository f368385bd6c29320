package journal

func childWriter() {}
