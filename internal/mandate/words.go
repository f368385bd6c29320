package mandate

// The rules that refusals cite.
var (
	evidenceRule = Text{"《公安机关办理刑事案件程序规定》第六十二条", "Procedures for criminal cases of public security organs (2020), art. 62"}
	officersRule = Text{"《关于办理刑事案件收集提取和审查判断电子数据若干问题的规定》第七条", "Rules on electronic data in criminal cases (2016), art. 7"}
	dataRule     = Text{"《关于办理刑事案件收集提取和审查判断电子数据若干问题的规定》第十三条", "Rules on electronic data in criminal cases (2016), art. 13"}
	leastRule    = Text{"《个人信息保护法》第六条", "Personal Information Protection Law, art. 6"}
	tellingRule  = Text{"《个人信息保护法》第十八条、第三十五条", "Personal Information Protection Law, arts. 18 and 35"}
	powersRule   = Text{"《个人信息保护法》第三十四条", "Personal Information Protection Law, art. 34"}
)

var sentences = map[Code]sentence{
	Unsigned: {"unsigned", Text{"这不是经审批人签名的调取令，或者签名不对", "this is no mandate that an approver has signed, or the signature is wrong"}, evidenceRule,
		Text{"请审批人用 gatehouse mandate sign 重新签发，原样带来，不要改动文件", "have the approver sign it with gatehouse mandate sign, and bring the file unchanged"}},
	UnknownApprover: {"unknown_approver", Text{"签名人不在信任文件的审批人名单中，或者已被撤销", "who signed it is no approver of the trust document, or not any more"}, powersRule,
		Text{"请本镇现任审批人重新签发；名单由登记中心用 registryd approver list 查看", "have an approver of this town sign it; registryd approver list at the registry names them"}},
	OtherRegistry: {"other_registry", Text{"调取令发给登记中心 %s，这里属于 %s", "the mandate is for the registry %s, and this house is of %s"}, powersRule,
		Text{"请这里登记中心的审批人签发", "have it signed by an approver of the registry here"}},
	Malformed: {"malformed", Text{"签名有效，但内容不是本程序认识的调取令", "the signature holds, but what it signs is no mandate that this program reads"}, evidenceRule,
		Text{"用 gatehouse mandate new 重新制作，再请审批人签发", "make it anew with gatehouse mandate new, and have it signed"}},
	Withdrawn: {"withdrawn", Text{"审批人已撤回：%s", "the approver has withdrawn it: %s"}, evidenceRule,
		Text{"仍有需要的，请重新审批", "if it is still needed, ask for a new approval"}},
	Incomplete: {"incomplete", Text{"缺少内容：%s", "a field is empty: %s"}, evidenceRule,
		Text{"补全后请审批人重新签发：案号、文书号、用途、开具和审核机关及其文号、两名侦查人员的单位、警号和密钥", "fill it in and have it signed again: case, notice, purpose, issuing and validating authority with file numbers, two officers with unit, badge and key"}},
	ApproverIsOfficer: {"approver_is_officer", Text{"审批人就是侦查人员之一", "the approver is one of the two officers"}, evidenceRule,
		Text{"请另一名审批人签发，或者换一名侦查人员", "have another approver sign it, or name another officer"}},
	OneOfficer: {"one_officer", Text{"两名侦查人员是同一把密钥", "the two officers have the same key"}, officersRule,
		Text{"须有两名侦查人员，各用自己登记的密钥", "name two officers, each with the own enrolled key"}},
	NoRecipient: {"no_recipient", Text{"没有接收人的公钥，或者它不能用来加密", "the recipient's public key is missing, or nothing can be sealed to it"}, dataRule,
		Text{"用 gatehouse mandate key FILE --receive 制作接收密钥，把 FILE.pub 的全文填入 recipient", "make a key with gatehouse mandate key FILE --receive, and put the text of FILE.pub into recipient"}},
	NotHeld: {"not_held", Text{"楼栋 %s（%s/%s）不在审批人的辖区内", "the building %s (%s/%s) is not in the approver's town"}, powersRule,
		Text{"请楼栋所在镇街的审批人签发", "have it signed by an approver of the building's town"}},
	NoScope: {"no_scope", Text{"没有写明哪扇门", "it names no door"}, leastRule,
		Text{"写明网关和门；没有“全部”", "name gateways and doors; there is no such thing as all"}},
	Future: {"future", Text{"要求提供签发（%s）之后的记录；调取令不能用来监视", "it asks for what comes after it was signed (%s); a mandate is not for watching"}, leastRule,
		Text{"把时间段的结束改为签发之前；以后的记录须另行审批", "let the span end before the signing; later entries need a mandate of their own"}},
	TooWide: {"too_wide", Text{"范围过大：%s 扇门 × %s 天 × %s 次 = %s，最多 %s", "too wide: %s doors x %s days x %s answers = %s, at most %s"}, leastRule,
		Text{"减少门、天数或次数，或者写明房号、卡或租约", "ask for fewer doors, days or answers, or name flats, cards or tenancies"}},
	ValidTooLong: {"valid_too_long", Text{"有效期超过 %s 天", "good for more than %s days"}, leastRule,
		Text{"缩短有效期，需要时重新审批", "make it shorter, and ask again when it is needed"}},
	EmergencyTooWide: {"emergency_too_wide", Text{"紧急调取只限一扇门、24 小时、一次，24 小时内有效", "an emergency is for one door, 24 hours and one answer, and good for 24 hours"}, leastRule,
		Text{"缩小范围，或者走普通审批", "ask for less, or take the ordinary way"}},
	WrongBuilding: {"wrong_building", Text{"调取令针对 %s，这里是 %s", "the mandate is for %s, and this is %s"}, evidenceRule,
		Text{"到写明的楼栋查询；地点写错的请重新签发", "ask at the building that it names; if that is a mistake, have it signed again"}},
	WrongGateway: {"wrong_gateway", Text{"调取令没有写明网关 %s", "the mandate does not name the gateway %s"}, evidenceRule,
		Text{"到写明的网关查询；gatehouse mandate show 列出网关和门", "ask the gateways that it names; gatehouse mandate show lists them with their doors"}},
	Expired: {"expired", Text{"调取令已于 %s 到期", "the mandate expired on %s"}, evidenceRule,
		Text{"请审批人重新签发", "have the approver sign a new one"}},
	NotYet: {"not_yet", Text{"调取令自 %s 起有效", "the mandate is good from %s"}, evidenceRule,
		Text{"届时再来；时间写错的请重新签发", "come back then; if that is a mistake, have it signed again"}},
	UsedUp: {"used_up", Text{"本网关已按此调取令答复 %s 次，次数用完", "this gateway has given its %s answers under the mandate"}, leastRule,
		Text{"原答复可以按原样再取，不计次：gatehouse query --use N，在登记中心用 registryd query --again N；新的查询须重新审批", "the same answer can be fetched again, not counted: gatehouse query --use N, at the registry registryd query --again N; a new query needs a new mandate"}},
	UncertainClock: {"uncertain_clock", Text{"网关的时间不确定，只能答复一次，已经答复过", "the gateway does not know the time: it answers once, and has done so"}, evidenceRule,
		Text{"等网关联网或校时后再来，或者向登记中心查询", "come back when the gateway knows the time, or ask the registry"}},
	Wildcard: {"wildcard", Text{"“%s” 不是一个名称，调取令不接受通配符", "%q is no name: a mandate takes no wildcard"}, leastRule,
		Text{"逐一写明网关、门和房号", "name each gateway, door and flat"}},
	Unvalidated: {"unvalidated", Text{"审批人签发的紧急调取令中，有 %s 份在答复后超过 %s 小时仍未经第二机关审核", "of the emergencies that the approver has signed %s were answered more than %s hours ago, and no second authority has validated them"}, leastRule,
		Text{"请第二机关用 gatehouse mandate validate 补审，交登记中心用 registryd mandate validate 登记；registryd mandate list 列出未审核的；普通调取令照常受理", "have a second authority validate them with gatehouse mandate validate, and hand that in with registryd mandate validate; registryd mandate list shows which; an ordinary mandate is answered as ever"}},
	NoEmergency: {"no_emergency", Text{"这不是紧急调取令，不需要事后审核", "the mandate is no emergency, and needs no validation afterwards"}, evidenceRule,
		Text{"直接用 registryd query 提交调取令", "show the mandate as it is, with registryd query"}},
	OtherMandate: {"other_mandate", Text{"这不是现任审批人对本调取令的有效审核", "this is no validation of the mandate that an approver of today has signed"}, evidenceRule,
		Text{"请用 gatehouse mandate validate 对原文件审核，原样交来；审批人名单用 registryd approver list 查看", "make it with gatehouse mandate validate from the very file that was answered, and bring it unchanged; registryd approver list names the approvers"}},
	ToldLate: {"told_late", Text{"没有写明何时可以告知当事人，或者写得太晚：最迟为签发后 %s 天", "it does not say from when who is asked about may be told, or says too late: at most %s days after the signing"}, tellingRule,
		Text{"填写 tell_from；不是紧急调取的，依法不告知的在 no_notice 写明法律依据", "fill in tell_from; what is no emergency and not to be told by law says which law in no_notice"}},
	OwnValidation: {"own_validation", Text{"审核须由另一名审批人代表另一机关作出", "it takes another approver, for an authority other than the issuing one"}, leastRule,
		Text{"请辖区内另一机关的审批人审核", "have an approver of another authority validate it, who holds the building's town, too"}},
}
