// Package front is the front of the central registry, the only process that gateways
// reach. It wires and runs what the packages below it do: ingest checks messages,
// commit stores them, downlink sends acks, documents and lists, enrolment and inbox
// carry requests to the issuer and back, roster holds what is known of gateways, and
// query, status and backup serve the operator.
//
// It trusts only signatures: a gateway's by the House document, which the issuer
// signed, and the issuer's by the Trust document, which the root signed. It does not
// store what does not hash to the root that the gateway signed, does not judge what an
// entry says, and holds no more in memory than its queues take: what is dropped is
// sent again, because only a commit is acked. It has no key that signs a list or opens
// a seal.
package front
