// Package query answers questions for what is stored: entries, alarms, keys and
// documents. It shows times and doors, and nobody's card.
package query
