--- script
require ["foreverypart","mime","fileinto"];
foreverypart :name "outer" { foreverypart { if header :mime :subtype "content-type" "html" { fileinto "html"; break :name "outer"; } } fileinto "after"; }
--- message
From: g@example.org
Subject: parts
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

Plain words
--b
Content-Type: text/html

<p>Rich <b>words</b></p>
--b
Content-Type: application/pdf; name="a.pdf"
Content-Disposition: attachment; filename="report.pdf"

%PDF
--b--
--- expect
fileinto html
