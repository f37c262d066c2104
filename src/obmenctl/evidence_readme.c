#include "obmenctl/evidence.h"

/* Every command in it is run by tests/network/evidence_test as it stands here. */
#define COMMANDS \
	"  1.  sha256sum -c SHA256SUMS\n" \
	"\n" \
	"  2.  previous=0000000000000000000000000000000000000000000000000000000000000000\n" \
	"      while read -r n entry digest; do\n" \
	"        if [ \"$entry\" != - ]; then\n" \
	"          link=$(printf 'obmen-link 1\\nsequence %s\\nprevious %s\\nentry %s\\n' \\\n" \
	"                 \"$n\" \"$previous\" \"$entry\" | sha256sum | cut -c1-64)\n" \
	"          [ \"$link\" = \"$digest\" ] || echo \"BROKEN $n\"\n" \
	"          file=journal/entry-$(printf %020d \"$n\").txt\n" \
	"          [ ! -e \"$file\" ] || [ \"$(sha256sum <\"$file\" | cut -c1-64)\" = \"$entry\" ] ||\n" \
	"            echo \"BROKEN $file\"\n" \
	"        fi\n" \
	"        previous=$digest\n" \
	"      done <journal/chain.txt\n" \
	"\n" \
	"  3.  sha256sum messages/* certificates/* | cut -c1-64 | while read -r h; do\n" \
	"        grep -q -e \" $h\" journal/entry-*.txt || echo \"BROKEN $h\"; done\n" \
	"\n" \
	"  4.  for m in messages/*-body.xml; do\n" \
	"        xmllint --huge --xpath 'string(//*[local-name()=\"request\"])' \"$m\" >/tmp/inner.xml\n" \
	"        xmlsec1 --verify --enabled-key-data x509 --trusted-pem CA.pem --node-xpath \\\n" \
	"          \"/*[local-name()='Message']/*[local-name()='Signature']\" /tmp/inner.xml\n" \
	"      done\n" \
	"\n" \
	"  5.  for c in certificates/*.der; do\n" \
	"        openssl x509 -inform DER -in \"$c\" | openssl verify -no_check_time -CAfile CA.pem; done\n" \
	"\n" \
	"  6.  for t in stamps/*.tsr; do\n" \
	"        [ -e \"$t\" ] || continue\n" \
	"        n=$(expr \"$(basename \"$t\" .tsr)\" + 0)\n" \
	"        d=$(sed -n \"s/^$n [0-9a-f-]* //p\" journal/chain.txt)\n" \
	"        openssl ts -verify -digest \"$d\" -in \"$t\" -CAfile TSA.pem; done\n"

const char evidence_readme[] =
    "ДОКАЗАТЕЛСТВА ЗА ЕДИН ДОКУМЕНТ, РАЗМЕНЕН В СЕОС\n"
    "\n"
    "journal/entry-*.txt  записите в дневника на възела за документа: кога, какво, от кого, SHA-256 на\n"
    "                     точните байтове на съобщенията, отговорите и сертификатите; before: номерът\n"
    "                     на предишния запис за същия документ\n"
    "journal/chain.txt    веригата: номер, SHA-256 на записа, печат. Печатът е SHA-256 на четирите реда\n"
    "                     „obmen-link 1“, „sequence“, „previous“, „entry“, така че всеки запис държи\n"
    "                     всички преди него. Тире вместо запис: тук започва откъс от веригата.\n"
    "messages/            точните байтове, както са минали по мрежата (SOAP). Името започва с номера на\n"
    "                     записа. body: съобщението, answer: отговорът, details: описанието.\n"
    "certificates/        сертификатите (DER); името е техният SHA-256\n"
    "stamps/              удостоверения за време по RFC 3161 за печата на запис с този номер: щом\n"
    "                     печатът е съществувал тогава, съществувал е и всеки запис преди него\n"
    "document.json        документът, както го показва възелът: за четене, не е доказателство\n"
    "\n"
    "Наведнъж, без връзка с възела:\n"
    "      obmenctl evidence verify ФАЙЛ --ca CA.pem --tsa-ca TSA.pem\n"
    "Без наш софтуер, в папката на разпакования файл (4: съобщението е текст вътре в SOAP,\n"
    "сертификатът му е вътре в него, за минало време има --verification-time; 5: CA.pem са\n"
    "удостоверителите на обмена; 6: TSA.pem са удостоверителите за време). Всяка команда мълчи или\n"
    "казва OK; BROKEN е разлика.\n"
    "\n"
    "EVIDENCE OF ONE DOCUMENT EXCHANGED IN SEOS\n"
    "\n"
    "journal/entry-*.txt  the entries of the node's journal about the document: when, what, by whom,\n"
    "                     SHA-256 of the exact bytes of messages, answers and certificates; before:\n"
    "                     the number of the document's entry before\n"
    "journal/chain.txt    the chain: number, SHA-256 of the entry, digest. The digest is the SHA-256 of\n"
    "                     four lines, \"obmen-link 1\", \"sequence\", \"previous\", \"entry\", so that each\n"
    "                     entry holds all before it. A dash for an entry: a stretch begins here.\n"
    "messages/            the exact bytes as they crossed the network (SOAP). Names begin with the\n"
    "                     entry's number. body: the message, answer, details: its description.\n"
    "certificates/        certificates (DER), named by their SHA-256\n"
    "stamps/              RFC 3161 time stamps of the digest of the entry with this number: since the\n"
    "                     digest existed at that time, so did every entry before it\n"
    "document.json        the document as the node shows it: for reading, no proof\n"
    "\n"
    "All at once, without the node:\n"
    "      obmenctl evidence verify FILE --ca CA.pem --tsa-ca TSA.pem\n"
    "Without our software, in the folder of the unpacked file (4: the message is text inside SOAP,\n"
    "its certificate inside it; for times past there is --verification-time; 5: CA.pem are the\n"
    "exchange's authorities; 6: TSA.pem are the time stamp authorities). Each command is silent or\n"
    "says OK; BROKEN is a difference.\n"
    "\n" COMMANDS;
