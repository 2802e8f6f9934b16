--- script
require ["foreverypart","mime","variables","extracttext","fileinto","body"];
foreverypart {
  if header :mime :type "content-type" "application" { fileinto "app"; }
  if header :mime :param "filename" :matches "content-disposition" "*.pdf" { fileinto "${1}"; }
  if header :mime :contenttype "content-type" "text/html" { extracttext :first 9 "t"; fileinto "${t}"; break; }
}
if header :mime :anychild :subtype "content-type" "pdf" { fileinto "any"; }
if exists :mime :anychild "content-disposition" { fileinto "exists"; }
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
fileinto Rich word
fileinto any
fileinto exists
