--- script
require ["fileinto", "date", "variables"];
set "year" "year";
set "none" "constructor";
if date "date" "${year}" "2026" { fileinto "1"; }
if date :matches "date" "${none}" "*" { fileinto "2"; }
if date :matches "date" "to${none}" "*" { fileinto "3"; }
--- message
From: Grace Hopper <grace+navy@example.org>
To: Ada <ada@example.com>
Subject: Hello
Date: Tue, 24 Nov 2026 10:30:00 +0200
Content-Type: text/plain; charset=utf-8

The quick brown fox.
--- expect
fileinto 1
