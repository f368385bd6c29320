package notices

// text is a sentence in both languages.
type text struct{ ZH, EN string }

// words are those of a sheet.
type words struct{ Title, Rights text }

var sheetWords = words{
	Title: text{"门禁记录调取告知书", "Notice: the entry log was queried"},
	Rights: text{"您可以凭本告知书到登记中心询问，有哪些调取涉及您的租约，并可以要求查阅、更正您自己的记录。如有异议，请向开具机关提出。",
		"With this sheet you can ask at the registry which inquiries concern your tenancy, and see and have corrected your own records. Objections go to the issuing authority."},
}

// What a sheet says, by whom it is for.
var (
	forTenancy = text{"公安机关依法凭经批准的调取令，要求提供与您的租约有关的门禁出入记录。现在可以告知您。",
		"Under a mandate that was approved by law the police have asked for entries of the door log about your tenancy. You may be told of it now."}
	forBuilding = text{"公安机关依法凭经批准的调取令，要求提供下列时间内经过下列门的所有人的出入记录。现在可以告知各位住户。",
		"Under a mandate that was approved by law the police have asked for the entries of everybody who passed these doors in this time. The residents may be told of it now."}
)

// The rows of a sheet.
var (
	rowBuilding  = text{"楼栋", "building"}
	rowFlat      = text{"房号", "flat"}
	rowTenancy   = text{"租约", "tenancy"}
	rowDoors     = text{"门", "doors"}
	rowSpan      = text{"时间段", "span"}
	rowPurpose   = text{"用途", "purpose"}
	rowIssuing   = text{"开具机关", "issuing authority"}
	rowNotice    = text{"文书号", "notice number"}
	rowAnswered  = text{"答复时间", "answered"}
	rowReference = text{"编号", "reference"}
)
