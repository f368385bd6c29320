package operator

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"gatehouse/internal/idnumber"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// CheckFile refuses what may name a person where the file number of a request or an order belongs, since the audit keeps
// it for good: what has no digit, and what has the number of an identity card.
func CheckFile(text string) error {
	const hint = "写申请或命令的编号，如 咨询-7，审计会一直保存；the number of the request or order, as 咨询-7: the audit keeps it for good"
	if strings.TrimSpace(text) != "" && !strings.ContainsFunc(text, unicode.IsDigit) {
		return api.Hinted(hint, "--case 没有数字，不是编号，可能是姓名 has no digit, so it is no file number, and may be somebody's name")
	}
	now := time.Now()
	isID := func(word string) bool {
		_, err := idnumber.Check(wire.DocumentResidentID, word, now)
		return err == nil
	}
	if slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsDigit(r) && !strings.ContainsRune("xX", r) }), isID) {
		return api.Hinted(hint, "--case 含有身份证号码 has the number of somebody's identity card")
	}
	return nil
}
