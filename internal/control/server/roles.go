package server

import (
	"gatehouse/internal/caller"
	"gatehouse/internal/control/server/exits"
)

// Roles besides the operator, who may call everything.
var (
	everybody = []caller.Role{caller.Owner, caller.Helper, caller.Installer, caller.Page}
	atHouse   = []caller.Role{caller.Owner, caller.Helper, caller.Installer}
	household = []caller.Role{caller.Owner, caller.Helper}
	landlord  = []caller.Role{caller.Owner}
	proving   = []caller.Role{caller.Owner, caller.Installer}
	residents = []caller.Role{caller.Resident}
	visitors  = []caller.Role{caller.Page} // of whom nobody knows but that they have a code
	firstRun  = []caller.Role{caller.Page} // for nobody who has an account
	officers  = []caller.Role{caller.Page} // who may ask is on the paper
)

// routeRoles says which roles may call which route through the page. A route that is not listed is
// for the operator alone: a route for the page has to be added here, too.
var routeRoles = map[string][]caller.Role{
	"GET /v1/status":                      everybody,
	"POST /v1/access":                     atHouse,
	"GET /v1/setup":                       everybody,
	"POST /v1/doors/{door}/release":       atHouse,
	"POST /v1/doors/{door}/lock":          atHouse,
	"POST /v1/fire/reset":                 atHouse, // who shows up at a door
	exits.Route:                           firstRun,
	"GET /v1/acceptance":                  proving,
	"POST /v1/doors/{door}/proofs/{part}": proving,
	"GET /v1/fire/drill":                  proving,
	"POST /v1/fire/drill":                 proving,
	"POST /v1/fire/drill/end":             proving,
	"POST /v1/enrol":                      proving,
	"POST /v1/keyfile":                    proving,
	"PUT /v1/keyfile":                     proving,
	"GET /v1/log":                         landlord,
	"POST /v1/clock/confirm":              landlord,
	"GET /v1/adopt":                       landlord,
	"POST /v1/adopt":                      landlord,
	"POST /v1/listening":                  landlord,
	"GET /v1/grants":                      landlord,
	"PUT /v1/grants":                      landlord,
	"POST /v1/printed":                    landlord,
	"GET /v1/keys":                        household,
	"GET /v1/tenancies":                   household,
	"GET /v1/tenancy":                     household,
	"POST /v1/desk":                       household,
	"DELETE /v1/desk/{session}":           household,
	"POST /v1/desk/{session}/swipe":       household,
	"POST /v1/desk/{session}/pin":         household,
	"POST /v1/desk/{session}/checkin":     household,
	"POST /v1/desk/{session}/change":      household,
	"GET /v1/guests":                      household,
	"POST /v1/guests/{id}/end":            household,
	"GET /v1/recovery":                    landlord,
	"POST /v1/recovery":                   landlord,
	"POST /v1/recovery/rehearse":          landlord,
	"POST /v1/backup":                     landlord,
	"POST /v1/inquiry":                    officers,
	"POST /v1/preserve":                   officers,
	"POST /v1/pass":                       visitors,
	"POST /v1/resident/{act}":             residents,
	"POST /v1/mine":                       residents,
	"POST /v1/mine/{session}/card":        residents,
	"GET /v1/mine/{session}":              residents,
	"POST /v1/mine/{session}/correction":  residents,
	"DELETE /v1/mine/{session}":           residents,

	"GET /v1/readers": proving,
	"POST /v1/doors/{door}/readers/{reader}/install":   proving,
	"DELETE /v1/doors/{door}/readers/{reader}/install": proving,
}
