package transparency

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"gatehouse/internal/socket"
)

// quarter is three months of a zone.
type quarter struct {
	Name     string    `json:"quarter"` // as 2026Q4
	From, To time.Time `json:"-"`       // To: the first moment after it
}

var quarterText = regexp.MustCompile(`^(20\d\d)Q([1-4])$`)

func quarterOf(text string, zone *time.Location) (quarter, error) {
	found := quarterText.FindStringSubmatch(text)
	if found == nil {
		return quarter{}, socket.Hinted("a year and a quarter: 2026Q4 is October to December of 2026", "no quarter: %q", text)
	}
	year, _ := strconv.Atoi(found[1])
	number, _ := strconv.Atoi(found[2])
	first := time.Month(3*number - 2)
	return quarter{text, time.Date(year, first, 1, 0, 0, 0, 0, zone), time.Date(year, first+3, 1, 0, 0, 0, 0, zone)}, nil
}

const stamp = "2006-01-02 15:04 -07:00"

func (q quarter) span() string {
	return fmt.Sprintf("%s – %s", q.From.Format(stamp), q.To.Format(stamp))
}
