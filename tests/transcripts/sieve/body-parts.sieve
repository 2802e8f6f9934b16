--- script
require ["fileinto", "body"];
if body :contains "Rich words" { fileinto "1"; }
if body :text :contains "<b>" { fileinto "2"; }
if body :raw :contains "<b>" { fileinto "3"; }
if body :content "text/html" :contains "<b>" { fileinto "4"; }
if body :content "application/pdf" :contains "PDF" { fileinto "5"; }
if body :text :contains "PDF" { fileinto "6"; }
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
fileinto 1
fileinto 3
fileinto 4
fileinto 5
