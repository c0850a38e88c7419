package workload

import "strings"

// MaxQuote bounds, in bytes, what a condition has of a log: it is read as one line,
// and is stored with each Function.
const MaxQuote = 700

// Quote is the text as a condition or an event quotes it.
func Quote(text string) string {
	if len(text) <= MaxQuote {
		return text
	}
	return strings.ToValidUTF8(text[:MaxQuote], "") + "…"
}
