--- script
require ["duplicate","fileinto"];
if duplicate { discard; }
if duplicate :handle "h" :header "x-spam-score" :seconds 60 { fileinto "d"; }
if duplicate :uniqueid "u" :last { fileinto "u"; }
--- given
tracked: ["h","header x-spam-score","7"]
--- message
From: Grace Hopper <grace+navy@example.org>
To: Ada <ada@example.com>, ben@example.net
Subject: Hello World 42
Date: Tue, 24 Nov 2026 10:30:00 +0200
Message-ID: <m1@example.org>
X-Spam-Score: 7
Content-Type: text/plain; charset=utf-8

The quick brown fox.
--- expect
fileinto d
track ["","header message-id","<m1@example.org>"] 604800
track ["","uniqueid","u"] 604800 renewed
