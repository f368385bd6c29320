package holds

import (
	"fmt"
	"strconv"
	"time"

	"gatehouse/internal/mandate"
)

// reason is why an order is not taken; blanks of its sentence are %s.
type reason struct {
	name    string // stable: it stands in journals
	because mandate.Text
	article mandate.Text
	do      mandate.Text
}

// refuse fills the blanks of a reason.
func refuse(r reason, blanks ...string) *mandate.Refusal {
	args := make([]any, len(blanks))
	for i, b := range blanks {
		args[i] = b
	}
	return &mandate.Refusal{Name: r.name, Reason: mandate.Text{ZH: fmt.Sprintf(r.because.ZH, args...), EN: fmt.Sprintf(r.because.EN, args...)}, Article: r.article, Do: r.do}
}

func number(n int) string { return strconv.Itoa(n) }

func span(s uint32) string { return (time.Duration(s) * time.Second).String() }

func day(unix uint32) string { return time.Unix(int64(unix), 0).UTC().Format("2006-01-02 15:04 UTC") }

// The rules that refusals cite.
var (
	freezeRule = mandate.Text{ZH: "《关于办理刑事案件收集提取和审查判断电子数据若干问题的规定》第十一条", EN: "Rules on electronic data in criminal cases (2016), art. 11"}
	paperRule  = mandate.Text{ZH: "《关于办理刑事案件收集提取和审查判断电子数据若干问题的规定》第十二条", EN: "Rules on electronic data in criminal cases (2016), art. 12"}
	leastRule  = mandate.Text{ZH: "《个人信息保护法》第六条", EN: "Personal Information Protection Law, art. 6"}
	powersRule = mandate.Text{ZH: "《个人信息保护法》第三十四条", EN: "Personal Information Protection Law, art. 34"}
)

// The reasons.
var (
	unsigned = reason{"order_unsigned", mandate.Text{ZH: "这不是侦查人员签名的保全令，或者签名不对", EN: "this is no order to preserve that an officer has signed, or the signature is wrong"}, freezeRule,
		mandate.Text{ZH: "用 gatehouse preserve sign 重新制作，原样带来，不要改动文件", EN: "make it with gatehouse preserve sign, and bring the file unchanged"}}
	otherRegistry = reason{"order_other_registry", mandate.Text{ZH: "保全令发给登记中心 %s，这里属于 %s", EN: "the order is for the registry %s, and this house is of %s"}, powersRule,
		mandate.Text{ZH: "请在这里的登记中心登记的侦查人员签名", EN: "have it signed by an officer who is enrolled at the registry here"}}
	notEnrolled = reason{"not_enrolled", mandate.Text{ZH: "侦查人员证书不是本登记中心签发的，或者签发密钥已被更换", EN: "the officer's certificate is not of this registry, or of a key that it has replaced"}, powersRule,
		mandate.Text{ZH: "请登记中心用 registryd officer add 签发新证书，再重新签名", EN: "have the operator of the registry make another one with registryd officer add, and sign again"}}
	revoked = reason{"officer_revoked", mandate.Text{ZH: "这名侦查人员未登记，或者登记已被撤销", EN: "the officer is not enrolled here, or not any more"}, powersRule,
		mandate.Text{ZH: "名单由登记中心用 registryd officer list 查看；请在册的侦查人员签名", EN: "registryd officer list shows who is; have an officer of that list sign it"}}
	certificateOver = reason{"certificate_over", mandate.Text{ZH: "侦查人员证书只在 %s 至 %s 有效", EN: "the officer's certificate is good from %s to %s"}, powersRule,
		mandate.Text{ZH: "请登记中心用 registryd officer add 换发证书，再重新签名", EN: "have the operator of the registry renew it with registryd officer add, and sign again"}}
	noCase = reason{"no_case", mandate.Text{ZH: "没有案号", EN: "it has no case number"}, paperRule,
		mandate.Text{ZH: "用 --case 写明案号，重新签名", EN: "name the case with --case, and sign again"}}
	tooWide = reason{"span_too_wide", mandate.Text{ZH: "时间段为 %s，最多 24 小时", EN: "the span is of %s; at most 24 hours"}, leastRule,
		mandate.Text{ZH: "缩短时间段，或者分成几份保全令；更多的凭调取令调取", EN: "make it shorter, or several orders; what is more takes a mandate"}}
	future = reason{"span_future", mandate.Text{ZH: "时间段在签名之后才开始", EN: "the span begins after the signing"}, leastRule,
		mandate.Text{ZH: "时间段须在签名之前开始，可以在签名之后结束；届时再签", EN: "the span begins before the signing, and may end after it: sign another one then"}}
	wrongGateway = reason{"order_wrong_gateway", mandate.Text{ZH: "保全令针对 %s，这里是 %s", EN: "the order is for %s, and this is %s"}, paperRule,
		mandate.Text{ZH: "到写明的网关提交；写错的请重新签名", EN: "show it at the gateway that it names; if that is a mistake, sign another one"}}
	notHeld = reason{"not_officers_town", mandate.Text{ZH: "楼栋在 %s/%s，不在侦查人员的辖区内", EN: "the building is in %s/%s, which is not the officer's town"}, powersRule,
		mandate.Text{ZH: "请楼栋所在镇街的侦查人员签名", EN: "have it signed by an officer of the building's town"}}
	noDoor = reason{"no_such_door", mandate.Text{ZH: "这里没有名为 %s 的门", EN: "there is no door %s here"}, paperRule,
		mandate.Text{ZH: "门的名称见楼内 gatehouse status；一份保全令一扇门", EN: "gatehouse status in the house names the doors; one door an order"}}
	old = reason{"order_old", mandate.Text{ZH: "保全令签于 %s，已超过 3 天", EN: "the order was signed on %s, more than three days ago"}, paperRule,
		mandate.Text{ZH: "重新签名；保全满 7 天仍有需要的，凭调取令调取", EN: "sign another one; what is needed for more than a week takes a mandate"}}
	notYet = reason{"order_not_yet", mandate.Text{ZH: "保全令签于 %s，还没有到", EN: "the order was signed on %s, which has not come yet"}, paperRule,
		mandate.Text{ZH: "校准签名电脑的时间，重新签名", EN: "set the clock of the machine that it was signed on, and sign again"}}
	tooMany = reason{"too_many_orders", mandate.Text{ZH: "这名侦查人员在这里已有 %s 份保全令在生效", EN: "of this officer's orders %s hold here"}, leastRule,
		mandate.Text{ZH: "等其中一份满 7 天，或者凭调取令调取", EN: "wait until one of them ends, within a week; or ask by a mandate"}}
	noRoom = reason{"no_room_for_orders", mandate.Text{ZH: "这里不能再接受保全令", EN: "no other order has room here"}, leastRule,
		mandate.Text{ZH: "请在登记中心保全：registryd preserve，或者凭调取令调取", EN: "preserve it at the registry, with registryd preserve; or ask by a mandate"}}
)
