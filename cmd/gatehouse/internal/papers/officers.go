package papers

import (
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/mandate"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

const enrolHint = "由登记中心的管理人员制作 the operator of the registry makes it: registryd officer add"

// noCertificate says what a file is not, and who has one that is.
func noCertificate(file string) error {
	return socket.Hinted(enrolHint, "%s 不是登记中心签发的侦查人员证书 is no officer's certificate of the registry", file)
}

// enrolled refuses a mandate whose two officers do not show their certificates, where any is shown:
// the approver then knows whose keys are on the paper.
func enrolled(s *session.Session, m mandate.Mandate, files []string, trust *wire.Trust, now time.Time) error {
	if len(files) == 0 {
		return nil
	}
	if trust == nil {
		return socket.Hinted("--trust and --root, too", "an officer's certificate is checked by the trust document")
	}
	var shown []mandates.Certificate
	for _, file := range files {
		envelope, err := s.Paper(file, enrolHint)
		if err != nil {
			return err
		}
		c, err := mandates.OpenCertificate(envelope, *trust)
		if err != nil {
			return noCertificate(file)
		}
		if unix := now.Unix(); unix < int64(c.From) || unix >= int64(c.Until) {
			return socket.Hinted(enrolHint, "%s: good from %s to %s", file, at(c.From, time.Local), at(c.Until, time.Local))
		}
		shown = append(shown, c)
	}
	for _, o := range m.Approval.Officers {
		if !named(shown, o, m.Request) {
			return socket.Hinted("--officer FILE for each of the two, of a unit for the building's town; unit, badge and key in the form as in the certificate", "badge %s: no certificate shows this officer", o.Badge)
		}
	}
	return nil
}

func named(shown []mandates.Certificate, o mandates.Officer, r mandates.Request) bool {
	for _, c := range shown {
		if c.Names(o) && c.Holds(r.District, r.Town) {
			return true
		}
	}
	return false
}
