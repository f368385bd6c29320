package transparency

import (
	"fmt"

	"gatehouse/internal/amount"
)

// note is a text in both languages.
type note struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

var (
	title    = note{"门禁记录调取公示", "How often the entry log was queried"}
	together = note{"合计", "All"}
	nobodys  = note{"无审批人签名", "No approver signed"} // instead of a town
	columns  = []note{{"镇街", "Town"}, {"凭令答复", "Answers under mandates"}, {"其中紧急", "Emergencies among them"}, {"紧急已确认", "of these confirmed"}, {"现场答复", "Answers on site"},
		{"不予提供", "Refused"}, {"现场不予提供", "Refused on site"}, {"保全", "Orders to preserve"}, {"现场保全", "Preserved on site"}, {"应请求删除", "Erasures on request"}, {"网关执行删除", "Erasures at gateways"}}
)

// unknown stands where nothing was counted.
const unknown = "?"

// notes say what the numbers are, and what they are not.
func notes(over bool, site onSite) []note {
	said := []note{
		{"1 至 4 写作“<5”。合计只由表中所示的数得出，因此可能是一个范围，推不出被隐去的数。“其中”的数如与总数相减会得出 1 至 4，也写作范围。",
			"A number from 1 to 4 is shown as <5. A total is made from the numbers shown alone, so it may be a range, and no hidden number follows from it. A part of another number is a range, too, where what is left of that would be 1 to 4."},
		{"凭令答复：登记中心凭经批准的调取令作出的答复，按调取令所写的镇街和登记中心当时记下的时间计。同一答复的再次提供不计。紧急已确认：其中第二机关至今已确认的；其余的尚未确认。",
			"Answers under mandates are those that the registry gave under mandates that an approver signed, by the town in the mandate and the time that the registry wrote down. The same answer given once more is not counted. Emergencies that are confirmed are those on which a second authority has given its word by now; of the others none has."},
		{"不予提供：登记中心拒绝的调取，每拒绝一次计一次，按调取令所写的镇街计；没有审批人签名的，镇街不可信，单列一行。拒绝时不读取任何记录。",
			"Refused: each time that the registry refused a mandate, by the town in the mandate; where no approver has signed it the town can't be believed, and it stands in a line of its own. Nothing of the log is read for a refusal."},
	}
	said = append(said, siteNotes(site)...)
	said = append(said,
		note{"保全：警员要求在七天内不得删除一扇门一段记录的次数。应请求删除：应住户请求或法院命令，从登记中心的记录中删去身份的次数；到期的自动删除不在内。网关执行删除：网关日志中记有执行了登记中心删除命令的次数，每道命令在每台网关计一次；日志尚未到达的不在内。",
			"Orders to preserve are officers' orders that a span of one door's log is not erased for a week. Erasures on request are those of whom the registry's log names, on a resident's request or a court's order; what is erased by its age is not among them. Erasures at gateways are orders of the registry that a gateway's log says were carried out, each at each gateway once; a log that has not come is not among them."},
		note{"同名的 .mandates 文件：每份已答复调取令的 SHA-256（对签名后文件的全部字节），按大小排列，以随机行补足到与表中所示的数相应的行数。持有调取令的人可以找到它；调取令含随机编号，别人无法从中得知任何内容。监督机构另有补足行的来源，可以查出不是它批准的行。只有读出的答复才列入：被拒绝的、保全和删除都没有读出任何人的记录，也不由监督机构批准；网关答复而记录未到或未开封的，也不在其中。",
			"The file of this name that ends in .mandates has the SHA-256 of each answered mandate (of all bytes of the signed file), sorted, filled with random lines up to the number that the table allows. Who has a mandate finds it there; mandates have random references, so nobody else learns anything. The oversight body also has what the other lines are made from, and finds each that it did not approve. Only what was answered is in it: a refusal, an order to preserve and an erasure give nobody an entry, and that body does not approve them. What a gateway answered is missing until its sealed entry has come and was opened."})
	if !over {
		said = append(said, note{"本季度尚未结束，只供内部查看，不得公布。", "The quarter is not over: this is for those who look now, and not for publication."})
	}
	return said
}

// siteNotes say what is known of answers that gateways gave on site.
func siteNotes(site onSite) []note {
	if !site.keyed {
		return []note{{"网关在现场作出的答复不在内，现场的拒绝和保全也不在内：它们以封存的记录到达登记中心，只有持离线记录密钥的人能读，本次未计，写作“?”。",
			"Answers that gateways gave on site are not among them, nor what they refused or preserved there: all that comes to the registry as sealed entries, which only the offline records key opens, and was not counted this time: it is shown as ?."}}
	}
	said := []note{{"现场答复、现场不予提供、现场保全：网关的封存记录中已到达登记中心的，按网关的时间和所在镇街计；答复中有多少是紧急的、是否已确认，封存记录没有写明。尚未到达的不在内。",
		"What was answered, refused and preserved on site is that in the gateways' sealed entries that have come to the registry, by the gateway's time and town; how many answers were emergencies, and whether they were confirmed, is not in those entries. What has not come yet is not counted."}}
	if site.shut > 0 {
		said = append(said, note{fmt.Sprintf("有 %d 条封存记录用这把密钥打不开，可能还有未计入的现场答复、拒绝和保全。", site.shut),
			amount.Of(site.shut, "sealed entry") + " did not open with this key: there may be answers, refusals and orders on site that are not counted."})
	}
	return said
}
