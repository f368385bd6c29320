// Package forgetting takes a registry's orders to erase over the daemon's socket. Who may have entries forgotten is on the
// paper and not who calls: the landlord carries it, and can erase nothing without it.
//
// It refuses to say how many entries an order is for, and whether one of them is kept for somebody else.
package forgetting

import (
	"crypto/sha256"
	"errors"
	"net/http"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/erasures"
)

// Handle registers the route.
func Handle(s *socket.Server, g *gateway.Gateway) {
	socket.Handle(s, "POST /v1/forget", func(r *http.Request, in control.ForgetRequest) (out control.Forgotten, err error) {
		registry := g.Keyring.Keys.Registry()
		if registry == nil {
			return out, socket.Refused(http.StatusConflict, "a standalone house keeps no tenancies; whom its entries name goes by itself after journal.who_days",
				"this house has no registry whose order it could take")
		}
		order, err := erasures.Open(in.Order, registry.Place.Building, registry.Trust.Keyset(wire.RoleIssuer))
		if err != nil {
			return out, refused(err)
		}
		last := (int64(order.Made)+1)*1000 - 1
		err = g.Journal.Forget(r.Context(), sha256.Sum256(in.Order), func(h wire.Header, who wire.Who) bool {
			return h.Wall <= last && who.Tenancy != nil && *who.Tenancy == order.Tenancy
		})
		if err != nil {
			return out, socket.Refused(http.StatusServiceUnavailable, "gatehouse status tells whether the disk is well; then give the order again", "%v", err)
		}
		return out, nil
	})
}

// refused says what to do with a paper that is no order for this house.
func refused(err error) error {
	message, hint := "这不是登记中心签名的抹除命令 this is no order to erase that a registry has signed",
		"由登记中心用 registryd forget 租约 --order 文件 写出，原样带来 registryd forget TENANCY --order FILE writes one: bring the file unchanged"
	switch {
	case errors.Is(err, wire.ErrWrongAddress):
		message, hint = "抹除命令的楼栋不对 the order to erase is for another house",
			"它针对别的楼栋，请登记中心为本楼另写一份 it is for the gateways of another building: have the registry write one for this one"
	case errors.Is(err, wire.ErrUnknownKey):
		message, hint = "抹除命令不是本楼的登记中心签发的 no issuer whom the trust document names has signed the order to erase",
			"它是不是本楼所属登记中心的？ is it of this house's registry?"
	}
	return socket.Refused(http.StatusUnprocessableEntity, hint, "%s", message)
}
