"""The register's answers as PHP's SoapServer writes them: rpc/encoded (protocol.md section 7)."""
from xml.sax.saxutils import escape

from participants import moment

OPERATIONS = {
    # operation: (parameter, XML type)
    "GetAllRecords": (None, None),
    "GetNewRecords": ("date", "dateTime"),
    "GetByEntityIdentifier": ("EntityIdentifier", "string"),
    "GetByGuid": ("guid", "string"),
    "GetByCertificateSN": ("CertificateSN", "string"),
}

HEAD = ('<?xml version="1.0" encoding="UTF-8"?>\n'
        '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:ns1="uri:egovmsg" xmlns:tns="uri:egovmsg"'
        ' xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xmlns:SOAP-ENC="http://schemas.xmlsoap.org/soap/encoding/"'
        ' SOAP-ENV:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><SOAP-ENV:Body>')
TAIL = "</SOAP-ENV:Body></SOAP-ENV:Envelope>\n"


def leaf(name, value, kind="string"):
    if value is None:
        return '<%s xsi:nil="true"/>' % name
    return '<%s xsi:type="xsd:%s">%s</%s>' % (name, kind, escape(str(value)), name)


def service(s):
    return ('<item xsi:type="tns:Service">' + leaf("Guid", s["guid"]) + leaf("Name", s["name"])
            + leaf("URI", s["uri"], "anyURI") + leaf("Status", s["status"])
            + leaf("Type", s["type"]) + leaf("Version", s["version"], "integer") + "</item>")


def array(name, kind, count, items):
    return ('<%s SOAP-ENC:arrayType="tns:%s[%d]" xsi:type="SOAP-ENC:Array">%s</%s>'
            % (name, kind, count, items, name))


def contact(e):
    return leaf("Phone", e["phone"]) + leaf("Fax", e["fax"]) + leaf("EmailAddress", e["email"])


def entity(e):
    return ('<item xsi:type="tns:Entity">' + leaf("EntityIdentifier", e["eik"])
            + leaf("Guid", e["guid"]) + leaf("ParentGuid", e["parent"])
            + leaf("AdministrativeBodyName", e["name"])
            + '<Contact xsi:type="tns:Contact">' + contact(e) + "</Contact>"
            + leaf("CertificateSN", e["serial"])
            + array("Services", "Service", len(e["services"]), "".join(map(service, e["services"])))
            + leaf("LastChange", e["last_change"], "dateTime") + leaf("Status", e["status"])
            + "</item>")


def newest(entities):
    return max((e["last_change"] for e in entities), key=moment, default=None)


def answer(operation, entities):
    """The whole answer as a list of byte strings."""
    rendered = [e.get("rendered") or entity(e).encode() for e in entities]
    start = ('<ns1:%sResponse><return xsi:type="tns:EGovMessageDir"><Entities'
             ' SOAP-ENC:arrayType="tns:Entity[%d]" xsi:type="SOAP-ENC:Array">'
             % (operation, len(entities)))
    end = ("</Entities>" + leaf("LastChange", newest(entities), "dateTime")
           + "</return></ns1:%sResponse>" % operation)
    return [(HEAD + start).encode(), *rendered, (end + TAIL).encode()]


def multiref_answer(operation, entities):
    """The same with every struct and array moved behind an href, as other encoders write it."""
    parts = []

    def put(kind, content):
        parts.append('<multiRef id="id%d" SOAP-ENC:root="0" xsi:type="%s">%s</multiRef>'
                     % (len(parts), kind, content))
        return "#id%d" % (len(parts) - 1)

    def one(e):
        services = "".join('<item href="%s"/>' % put("tns:Service", service(s)[len(
            '<item xsi:type="tns:Service">'):-len("</item>")]) for s in e["services"])
        return put("tns:Entity", leaf("Status", e["status"])
                   + leaf("LastChange", e["last_change"], "dateTime")
                   + '<Services href="%s"/>' % put("SOAP-ENC:Array", services)
                   + '<Contact href="%s"/>' % put("tns:Contact", contact(e))
                   + leaf("CertificateSN", e["serial"]) + leaf("AdministrativeBodyName", e["name"])
                   + leaf("Guid", e["guid"]) + leaf("ParentGuid", e["parent"])
                   + leaf("EntityIdentifier", e["eik"]))

    items = "".join('<item href="%s"/>' % one(e) for e in entities)
    top = put("tns:EGovMessageDir", leaf("LastChange", newest(entities), "dateTime")
              + '<Entities href="%s"/>' % put("SOAP-ENC:Array", items))
    return [(HEAD + '<ns1:%sResponse><return href="%s"/></ns1:%sResponse>'
             % (operation, top, operation) + "".join(parts) + TAIL).encode()]


def fault(code, text):
    return [(HEAD.replace(' SOAP-ENV:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"', "")
             + "<SOAP-ENV:Fault><faultcode>SOAP-ENV:%s</faultcode><faultstring>%s</faultstring>"
             "</SOAP-ENV:Fault>" % (code, escape(text)) + TAIL).encode()]


def wsdl(location):
    """The contract. It imports ENCODING from this server too, so that no reader needs the Internet."""
    messages, port, binding = [], [], []
    for name, (part, kind) in OPERATIONS.items():
        parameter = '<part name="%s" type="xsd:%s"/>' % (part, kind) if part else ""
        messages.append('<message name="%sRequest">%s</message><message name="%sResponse">'
                        '<part name="return" type="tns:EGovMessageDir"/></message>'
                        % (name, parameter, name))
        port.append('<operation name="%s"><input message="tns:%sRequest"/>'
                    '<output message="tns:%sResponse"/></operation>' % (name, name, name))
        body = ('<soap:body use="encoded" namespace="uri:egovmsg"'
                ' encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"/>')
        binding.append('<operation name="%s"><soap:operation soapAction="uri:egovmsg/%s"'
                       ' style="rpc"/><input>%s</input><output>%s</output></operation>'
                       % (name, name, body, body))
    return WSDL % {"messages": "\n".join(messages), "port": "\n".join(port),
                   "binding": "\n".join(binding), "location": escape(location)}


ENCODING = """<?xml version="1.0" encoding="UTF-8"?>
<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema"
    targetNamespace="http://schemas.xmlsoap.org/soap/encoding/">
 <xsd:attribute name="arrayType" type="xsd:string"/>
 <xsd:complexType name="Array">
  <xsd:sequence><xsd:any minOccurs="0" maxOccurs="unbounded" processContents="lax"/></xsd:sequence>
  <xsd:anyAttribute processContents="lax"/>
 </xsd:complexType>
</xsd:schema>
"""

WSDL = """<?xml version="1.0" encoding="UTF-8"?>
<definitions name="EGovMessageDir" targetNamespace="uri:egovmsg" xmlns:tns="uri:egovmsg"
    xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
    xmlns:SOAP-ENC="http://schemas.xmlsoap.org/soap/encoding/">
<types>
<xsd:schema targetNamespace="uri:egovmsg">
 <xsd:import namespace="http://schemas.xmlsoap.org/soap/encoding/"
  schemaLocation="%(location)s?xsd=encoding"/>
 <xsd:complexType name="Contact"><xsd:all>
  <xsd:element name="Phone" type="xsd:string" nillable="true"/>
  <xsd:element name="Fax" type="xsd:string" nillable="true"/>
  <xsd:element name="EmailAddress" type="xsd:string" nillable="true"/>
 </xsd:all></xsd:complexType>
 <xsd:complexType name="Service"><xsd:all>
  <xsd:element name="Guid" type="xsd:string"/>
  <xsd:element name="Name" type="xsd:string"/>
  <xsd:element name="URI" type="xsd:anyURI"/>
  <xsd:element name="Status" type="xsd:string"/>
  <xsd:element name="Type" type="xsd:string"/>
  <xsd:element name="Version" type="xsd:integer"/>
 </xsd:all></xsd:complexType>
 <xsd:complexType name="ServiceArray"><xsd:complexContent><xsd:restriction base="SOAP-ENC:Array">
  <xsd:attribute ref="SOAP-ENC:arrayType" wsdl:arrayType="tns:Service[]"/>
 </xsd:restriction></xsd:complexContent></xsd:complexType>
 <xsd:complexType name="Entity"><xsd:all>
  <xsd:element name="EntityIdentifier" type="xsd:string"/>
  <xsd:element name="Guid" type="xsd:string"/>
  <xsd:element name="ParentGuid" type="xsd:string"/>
  <xsd:element name="AdministrativeBodyName" type="xsd:string"/>
  <xsd:element name="Contact" type="tns:Contact"/>
  <xsd:element name="CertificateSN" type="xsd:string"/>
  <xsd:element name="Services" type="tns:ServiceArray"/>
  <xsd:element name="LastChange" type="xsd:dateTime"/>
  <xsd:element name="Status" type="xsd:string"/>
 </xsd:all></xsd:complexType>
 <xsd:complexType name="EntityArray"><xsd:complexContent><xsd:restriction base="SOAP-ENC:Array">
  <xsd:attribute ref="SOAP-ENC:arrayType" wsdl:arrayType="tns:Entity[]"/>
 </xsd:restriction></xsd:complexContent></xsd:complexType>
 <xsd:complexType name="EGovMessageDir"><xsd:all>
  <xsd:element name="Entities" type="tns:EntityArray"/>
  <xsd:element name="LastChange" type="xsd:dateTime" nillable="true"/>
 </xsd:all></xsd:complexType>
</xsd:schema>
</types>
%(messages)s
<portType name="EGovMessageDirPort">
%(port)s
</portType>
<binding name="EGovMessageDirBinding" type="tns:EGovMessageDirPort">
<soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
%(binding)s
</binding>
<service name="EGovMessageDirService">
<port name="EGovMessageDirPort" binding="tns:EGovMessageDirBinding"><soap:address location="%(location)s"/></port>
</service>
</definitions>
"""
